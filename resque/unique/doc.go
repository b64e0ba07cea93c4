// Package unique keeps equal jobs from being queued twice. Its [Policy] is a setting of a
// class:
//
//	var Exporter = resque.Define1[int64]("Exporter", "exports",
//		unique.Policy{For: time.Hour},
//	)
//
//	receipt, err := client.Enqueue(ctx, Exporter.Job(42))
//	// receipt.State is resque.Duplicate if an equal job is there already
//
// Jobs are equal if their classes and arguments are; see [Policy.By]. The lock that a job
// holds is a key of one of four Ruby plugins; see [Style]. So Ruby and Go refuse each
// other's jobs.
//
// A lock is taken in the same step that pushes or delays the job, and freed in the same
// step that removes the record of the running job. So if a process dies, no lock stays
// without a job. A lock also expires, in case a job is lost in another way: keep
// [Policy.For] longer than a job waits and takes.
//
// Uniqueness is not a limit of concurrency: a unique job of [Begun] may be queued while
// an equal one is performed, and jobs that are not equal are never kept from each other.
// To limit how many jobs of a class are performed at once, use package limit.
package unique
