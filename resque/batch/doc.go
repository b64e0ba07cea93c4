// Package batch groups jobs into batches. When all jobs of a batch have ended, a job is
// enqueued, the batch's callback: one that is enqueued whatever has become of the jobs, and
// one that is enqueued when all of them have succeeded.
//
//	nightly, err := batch.New(client, batch.Config{
//		Description: "nightly export",
//		Complete:    Report.Job(day),
//		Success:     Publish.Job(day),
//	})
//	err = nightly.Add(ctx, jobs...)
//	err = nightly.Seal(ctx)
//
// A job of a batch is a member. Its payload has a member batch with the id of the batch and
// the number of the job. Any Go worker counts such a job when it ends, together with its
// result, in one step. So each member counts once and each callback is enqueued once,
// whatever crashes and however often a call is repeated. Classes need no setting.
//
// A member has ended when it has succeeded or failed, or when its worker died and the job
// is not performed again. A job that package retry performs again has not ended. A failed
// member may be requeued: if it succeeds then, it no longer counts as failed.
//
// Ruby workers perform members but do not count them. Ruby's scheduler drops the mark of
// delayed jobs. See docs/batches.md.
package batch
