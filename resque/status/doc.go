// Package status shows the progress of jobs and lets people kill them, with the keys of
// Ruby's plugin resque-status. A job of a class that is defined with [Define] has a uuid,
// by which its status can be read while it waits, runs, and for a day after its end:
//
//	var Export = status.Define[Options]("Export", "exports")
//
//	id, err := Export.Enqueue(ctx, client, Options{ID: 42})
//
//	mux.Handle(Export.Handler(func(ctx context.Context, p *status.Progress, o Options) error {
//		for i, row := range rows {
//			if err := p.At(ctx, i, len(rows), "exporting"); err != nil {
//				return err // the job was killed
//			}
//			…
//		}
//		return nil
//	}))
//
//	s, ok, err := status.Get(ctx, client, id)
//	err = status.Kill(ctx, client, id)
//
// The status of a job changes in the same step as the job: it is queued with the push,
// working before the handler is called, and completed, failed or killed with the outcome.
// If a worker dies, the process that prunes it writes that the job failed. A status is
// therefore never "working" for ever, unlike the plugin's.
//
// A class whose arguments must not change has the setting [Policy] instead.
//
// A status is no place for results. Its message has at most 1 KB.
package status
