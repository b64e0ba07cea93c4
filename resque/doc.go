// Package resque enqueues Resque jobs and says how they are performed: the same
// Redis, the same queues and the same bytes as Ruby's Resque, so that Go and
// Ruby can share them.
//
// A job is defined once, for both sides:
//
//	// Ruby: module Exporter; @queue = :exports; def self.perform(export_id)
//	var Exporter = resque.Define1[int64]("Exporter", "exports")
//
// Who wants it done enqueues it, and goes on at once:
//
//	rdb, err := resque.Open(resque.RedisConfig{URL: "redis://localhost:6379"})
//	client, err := resque.New(rdb, resque.Config{})
//	receipt, err := client.Enqueue(ctx, Exporter.Job(export.ID))
//
// Who does it registers a function, and runs a worker of package worker:
//
//	mux := resque.NewMux()
//	mux.Handle(Exporter.Handler(func(ctx context.Context, exportID int64) error {
//		…
//	}))
//
// Beneath the definitions lies the plain form, for classes that are not known
// at compile time: a [Job] to enqueue, [Mux.HandleFunc] to perform.
//
// Arguments should be small and plain, an id rather than a record: they are
// stored as JSON, and the record will have changed by the time the job runs.
package resque
