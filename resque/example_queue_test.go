package resque_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
)

// embeddedClient returns a client of an embedded Redis.
func embeddedClient(cfg resque.Config) (client *resque.Client, end func()) {
	server, err := embedded.Start("")
	if err != nil {
		panic(err)
	}
	rdb, err := resque.Open(resque.RedisConfig{URL: server.URL()})
	if err != nil {
		panic(err)
	}
	client, err = resque.New(rdb, cfg)
	if err != nil {
		panic(err)
	}
	return client, func() {
		_ = client.Close()
		server.Close()
	}
}

func ExampleClient_EnqueueAll() {
	client, end := embeddedClient(resque.Config{})
	defer end()
	ctx := context.Background()

	var jobs []resque.Job
	for id := range int64(2500) {
		jobs = append(jobs, Exporter.Job(id))
	}
	receipts, err := client.EnqueueAll(ctx, jobs) // in three round trips
	fmt.Println(receipts.Enqueued(), err)

	jobs[1200].Args = []any{func() {}} // a func cannot be encoded as JSON
	receipts, err = client.EnqueueAll(ctx, jobs)
	var bulk *resque.BulkError
	if errors.As(err, &bulk) {
		fmt.Println(receipts.Enqueued(), "are queued, and of jobs", bulk.From, "to", bulk.To-1, "there are", bulk.Queued)
	}
	// Output:
	// 2500 <nil>
	// 1000 are queued, and of jobs 1000 to 1200 there are 0
}

func ExampleClient_Peek() {
	client, end := embeddedClient(resque.Config{})
	defer end()
	ctx := context.Background()
	for id := range int64(3) {
		if _, err := client.Enqueue(ctx, Exporter.Job(id)); err != nil {
			fmt.Println(err)
		}
	}
	if _, err := client.EnqueueFront(ctx, Exporter.Job(42)); err != nil {
		fmt.Println(err)
	}

	for job, err := range client.Peek(ctx, "exports", 0, 2) { // -1 for all
		if err != nil {
			fmt.Println(err)
			continue
		}
		var id int64
		fmt.Println(job.Class, job.Bind(&id), id)
	}
	sizes, err := client.QueueSizes(ctx)
	fmt.Println(sizes, err)
	// Output:
	// Exporter <nil> 42
	// Exporter <nil> 0
	// map[exports:4] <nil>
}

func ExampleClient_Dequeue() {
	client, end := embeddedClient(resque.Config{})
	defer end()
	ctx := context.Background()
	for _, id := range []int64{1, 2, 2, 3} {
		if _, err := client.Enqueue(ctx, Exporter.Job(id)); err != nil {
			fmt.Println(err)
		}
	}
	removed, _, err := client.Dequeue(ctx, Exporter.Job(2))
	fmt.Println(removed, err)
	removed, _, err = client.DequeueClass(ctx, Exporter.AnyJob())
	fmt.Println(removed, err)
	// Output:
	// 2 <nil>
	// 2 <nil>
}

// A hook of the class decides whether a job may be enqueued. A hook of the client is
// called for each enqueued job.
func ExampleBeforeEnqueue() {
	client, end := embeddedClient(resque.Config{EnqueueHooks: []resque.EnqueueMiddleware{
		resque.AfterEnqueue(func(_ context.Context, job resque.Job) error {
			fmt.Println("queued:", job.Class, job.Args)
			return nil
		}),
	}})
	defer end()
	exporter := resque.Define1[int64]("Exporter", "exports",
		resque.BeforeEnqueue(func(_ context.Context, job resque.Job) (ok bool, err error) {
			return job.Args[0] != int64(13), nil
		}))
	for _, id := range []int64{12, 13} {
		receipt, err := client.Enqueue(context.Background(), exporter.Job(id))
		fmt.Println(receipt.State, err)
	}
	// Output:
	// queued: Exporter [12]
	// queued <nil>
	// vetoed <nil>
}

func ExampleClient_Workers() {
	client, end := embeddedClient(resque.Config{})
	defer end()
	ctx := context.Background()
	workers, err := client.Workers(ctx)
	if err != nil {
		fmt.Println(err)
	}
	for _, w := range workers {
		fmt.Println(w.Host, w.PID, w.Queues, w.State(), w.Processed, w.Silence)
	}
	info, err := client.Info(ctx)
	fmt.Println(info.Pending, "jobs wait,", info.Working, "of", info.Workers, "workers are at work", err)
	// Output: 0 jobs wait, 0 of 0 workers are at work <nil>
}

func ExampleClient_IncrStat() {
	client, end := embeddedClient(resque.Config{})
	defer end()
	ctx := context.Background()
	_, err := client.IncrStat(ctx, "exported_rows", 1500)
	fmt.Println(err)
	rows, err := client.Stat(ctx, "exported_rows")
	fmt.Println(rows, err)
	// Output:
	// <nil>
	// 1500 <nil>
}
