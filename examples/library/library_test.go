// Package library enqueues and performs a job in your own program, as docs/start.md shows.
package library

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/worker"
)

// Ruby: module Exporter; @queue = :exports; def self.perform(export_id).
var Exporter = resque.Define1[int64]("Exporter", "exports")

func run(ctx context.Context, url string) error {
	rdb, err := resque.Open(resque.RedisConfig{URL: url})
	if err != nil {
		return err
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	// Enqueue a job. This returns at once.
	if _, err := client.Enqueue(ctx, Exporter.Job(42)); err != nil {
		return err
	}
	// Register the function that performs such jobs, and run a worker.
	mux := resque.NewMux()
	mux.Handle(Exporter.Handler(func(ctx context.Context, exportID int64) error {
		fmt.Println("exporting", exportID)
		return nil
	}))
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"exports"}, UntilEmpty: true})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

func Example() {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	server, err := embedded.Start("")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	fmt.Println(run(context.Background(), server.URL()))
	// Output:
	// exporting 42
	// <nil>
}
