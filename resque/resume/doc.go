// Package resume makes long jobs resumable. A job goes through a sequence with [Each], which
// saves the position. If the worker stops, the job goes back to the front of its queue, and the
// next attempt goes on where this one has stopped. If the worker is killed, the next attempt
// repeats at most the items of the last 5 seconds.
//
//	var Import = resque.Define1[int64]("Import", "imports", resume.Policy{})
//
//	mux.Handle(Import.Handler(func(ctx context.Context, fileID int64) error {
//		return resume.Each(ctx, func(after int64) iter.Seq2[int64, Row] { return rowsAfter(ctx, fileID, after) },
//			func(ctx context.Context, row Row) error { return store(ctx, row) })
//	}))
package resume
