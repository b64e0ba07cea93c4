package resque_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/goresque/goresque/resque"
)

// plainLog returns a logger to standard output that omits times and durations.
func plainLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "duration" {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// performed performs a job inline, with perform as its handler and inside middleware.
func performed(perform func(context.Context, int64) error, middleware ...resque.Middleware) error {
	mux := resque.NewMux()
	mux.Use(middleware...)
	mux.Handle(Exporter.Handler(perform))
	client, err := resque.New(nil, resque.Config{Inline: mux})
	if err != nil {
		return err
	}
	_, err = client.Enqueue(context.Background(), Exporter.Job(42))
	return err
}

func ExampleLogPerform() {
	_ = performed(func(context.Context, int64) error { return errors.New("the disk is full") },
		resque.LogPerform(plainLog()))
	// Output: level=ERROR msg="job failed" class=Exporter queue=exports worker="" err="the disk is full"
}

func ExampleTimePerform() {
	slow := resque.TimePerform(func(ctx context.Context, job *resque.Payload, took time.Duration, err error) {
		outcome, _ := resque.ResultOf(ctx, err)
		fmt.Println(job.Class, outcome, took < time.Minute)
	})
	_ = performed(func(context.Context, int64) error { return nil }, slow)
	// Output: Exporter succeeded true
}

// The first middleware is outermost. It gets an error instead of a panic.
func ExampleRecoverPerform() {
	look := resque.AroundPerform(func(ctx context.Context, _ *resque.Payload, perform func(context.Context) error) error {
		err := perform(ctx)
		fmt.Println("seen:", err)
		return err
	})
	_ = performed(func(context.Context, int64) error { panic("index out of range") }, look, resque.RecoverPerform)
	// Output: seen: panic: index out of range
}

func ExampleLogEnqueue() {
	client, end := embeddedClient(resque.Config{EnqueueHooks: []resque.EnqueueMiddleware{resque.LogEnqueue(plainLog())}})
	defer end()
	_, _ = client.Enqueue(context.Background(), Exporter.Job(42))
	// Output: level=INFO msg="job enqueued" class=Exporter queue=exports
}

func ExampleTimeEnqueue() {
	client, end := embeddedClient(resque.Config{EnqueueHooks: []resque.EnqueueMiddleware{
		resque.TimeEnqueue(func(_ context.Context, job resque.Job, took time.Duration, receipt resque.Receipt, err error) {
			fmt.Println(job.InnerClass(), receipt.State, err, took < time.Minute)
		}),
	}})
	defer end()
	_, _ = client.Enqueue(context.Background(), Exporter.Job(42))
	// Output: Exporter queued <nil> true
}

func ExampleRecoverEnqueue() {
	client, end := embeddedClient(resque.Config{EnqueueHooks: []resque.EnqueueMiddleware{
		resque.RecoverEnqueue,
		resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) { panic("no such customer") }),
	}})
	defer end()
	receipt, err := client.Enqueue(context.Background(), Exporter.Job(42))
	fmt.Println(receipt.Enqueued(), err)
	// Output: false panic: no such customer
}

// With the time in the payload, programs can show how long a job has waited.
func ExampleStampEnqueuedAt() {
	client, end := embeddedClient(resque.Config{EnqueueHooks: []resque.EnqueueMiddleware{resque.StampEnqueuedAt}})
	defer end()
	ctx := context.Background()
	_, _ = client.Enqueue(ctx, Exporter.Job(42))
	snap, err := client.Snapshot(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, q := range snap.Queues {
		since, ok := q.Next.WaitingSince()
		fmt.Println(q.Queue, q.Size, ok, time.Since(since) < time.Minute)
	}
	// Output: exports 1 true true
}

func ExampleJob_WithMember() {
	payload, err := Exporter.Job(42).WithMember("tenant", "acme").Encode()
	fmt.Println(string(payload), err)
	// Output: {"class":"Exporter","args":[42],"tenant":"acme"} <nil>
}
