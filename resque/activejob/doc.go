// Package activejob performs what a Rails app's perform_later put on a queue,
// and enqueues jobs that Rails' workers perform: ActiveJob over Resque, as Rails
// 6.1 to 8.1 write it.
//
// A job is defined once for both sides, as in package resque:
//
//	// Ruby: class ExportJob < ApplicationJob; queue_as :exports; def perform(export_id)
//	var ExportJob = activejob.Define1[int64]("ExportJob", "exports")
//
//	mux.Handle(ExportJob.Handler(func(ctx context.Context, exportID int64) error { … }))
//	receipt, err := client.Enqueue(ctx, ExportJob.Job(42))
//
// Rails puts all its jobs into one class, [JobWrapper]. A mux looks inside, so
// that logs, limits, middleware and failures name the Rails class. Jobs of Rails
// and of Resque itself can share a mux, a worker and a queue.
//
// Arguments come as Go values, see [Bind] and [Values], and go to Rails with
// what tells it a symbol from a string. A [Hash], a map or a struct serves for a
// hash, [Keywords] for keyword arguments. What of the job's data a handler wants
// beside the arguments, it asks [FromContext] for. [Retry] is retry_on.
package activejob
