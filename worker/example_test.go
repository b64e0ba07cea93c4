package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"os/signal"
	"syscall"
	"time"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/worker"
)

func Example() {
	server, err := embedded.Start("") // a Redis for this example
	if err != nil {
		panic(err)
	}
	defer server.Close()
	rdb, err := resque.Open(resque.RedisConfig{URL: server.URL()})
	if err != nil {
		panic(err)
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		panic(err)
	}
	defer client.Close()

	exporter := resque.Define1[int64]("Exporter", "exports")
	mux := resque.NewMux()
	mux.Handle(exporter.Handler(func(_ context.Context, id int64) error {
		fmt.Println("exporting", id)
		return nil
	}))
	ctx := context.Background()
	for id := range int64(2) {
		if _, err := client.Enqueue(ctx, exporter.Job(id+1)); err != nil {
			panic(err)
		}
	}

	w, err := worker.New(client, mux, worker.Config{
		Queues:     []string{"exports"},
		UntilEmpty: true, // without it, Run returns when ctx ends
		Logger:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	if err := w.Run(ctx); err != nil {
		panic(err)
	}
	// Output:
	// exporting 1
	// exporting 2
}

// A web server or another program that handles signals itself runs the worker until
// its context ends. Running jobs get 20 seconds to finish, and 5 more after their
// contexts ended; then they return to their queue.
func ExampleWorker_Run() {
	run := func(client *resque.Client, mux *resque.Mux) error {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		w, err := worker.New(client, mux, worker.Config{
			Queues:      []string{"urgent", "*"},
			Concurrency: 10,
			StopTimeout: 20 * time.Second,
			StopGrace:   5 * time.Second,
			OnShutdown:  worker.RequeueInterrupted,
		})
		if err != nil {
			return err
		}
		return w.Run(ctx)
	}
	_ = run
}

// New reports all mistakes at once.
func ExampleNew() {
	_, err := worker.New(nil, resque.NewMux(), worker.Config{
		Queues:       []string{"urgent,exports"},
		StopGrace:    time.Second,
		JobsPerChild: 10,
	})
	fmt.Println(err)
	// Output:
	// worker: a worker needs a client with a Redis
	// worker: queue "urgent,exports" contains a comma: give each queue as an element of Queues
	// worker: StopGrace has no effect without StopTimeout or ForkPerJob
	// worker: JobsPerChild has no effect without ForkPerJob
}
