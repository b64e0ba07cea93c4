// Package activejob performs jobs that a Rails app enqueued with perform_later, and
// enqueues jobs that Rails workers perform. It supports ActiveJob with the Resque
// adapter in Rails 6.1 to 8.1.
//
// A definition names a job once, for enqueueing and for performing, as in package
// resque:
//
//	// Ruby: class ExportJob < ApplicationJob; queue_as :exports; def perform(export_id)
//	var ExportJob = activejob.Define1[int64]("ExportJob", "exports")
//
//	mux.Handle(ExportJob.Handler(func(ctx context.Context, exportID int64) error { … }))
//	receipt, err := client.Enqueue(ctx, ExportJob.Job(42))
//
// Rails enqueues all its jobs with one class, [JobWrapper], and puts the real class
// inside. A mux unwraps such jobs, so that logs, limits, middleware and failures use
// the Rails class. Rails jobs and plain Resque jobs can share a mux, a worker and a
// queue.
//
// [Bind] and [Values] decode arguments into Go values. Enqueued arguments keep the
// difference between a symbol and a string. A hash is a [Hash], a map or a struct, and
// keyword arguments are [Keywords]. [FromContext] returns the rest of the job's data,
// such as its id. [Retry] is the counterpart of retry_on, and [Step] that of step in a
// Continuable job of Rails 8.1.
package activejob
