// Package resque enqueues Resque jobs and defines how they are performed. It uses
// the same Redis keys and writes the same bytes as Ruby's Resque, so Go and Ruby
// programs can share queues.
//
// A definition describes a job for both sides, the code that enqueues it and the
// code that performs it:
//
//	// Ruby: module Exporter; @queue = :exports; def self.perform(export_id)
//	var Exporter = resque.Define1[int64]("Exporter", "exports")
//
// To enqueue a job, create a [Client]. [Client.Enqueue] does not wait until the job
// is performed:
//
//	rdb, err := resque.Open(resque.RedisConfig{URL: "redis://localhost:6379"})
//	client, err := resque.New(rdb, resque.Config{})
//	receipt, err := client.Enqueue(ctx, Exporter.Job(export.ID))
//
// To perform jobs, register a function with a [Mux] and run a worker from package
// worker:
//
//	mux := resque.NewMux()
//	mux.Handle(Exporter.Handler(func(ctx context.Context, exportID int64) error {
//		…
//	}))
//
// For classes that are not known at compile time, enqueue a [Job] and register a
// function with [Mux.HandleFunc].
//
// Arguments should be small and plain. Pass an id instead of a record: arguments
// are stored as JSON, and the record may change before the job runs.
package resque
