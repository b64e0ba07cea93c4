package otel_test

import (
	"context"
	"fmt"
	"log/slog"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/resque/otel"
	"github.com/goresque/goresque/worker"
)

// With Carry, the span of performing a job is a child of the span of enqueueing it.
func Example() {
	recorded := tracetest.NewInMemoryExporter() // a real program uses otlptrace and a batcher
	tracing := otel.New(otel.Config{TracerProvider: sdk.NewTracerProvider(sdk.WithSyncer(recorded)), Carry: true})

	server, err := embedded.Start("") // a real program uses a Redis server
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	rdb, err := resque.Open(resque.RedisConfig{URL: server.URL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rdb.Close()
	client, err := resque.New(rdb, resque.Config{EnqueueHooks: []resque.EnqueueMiddleware{tracing.Enqueue}})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := resque.NewMux()
	mux.Use(tracing.Perform)
	mux.Handle(exporter.Handler(func(context.Context, int64) error { return nil }))

	ctx := context.Background()
	_, _ = client.Enqueue(ctx, exporter.Job(42))
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"exports"}, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := w.Run(ctx); err != nil {
		fmt.Println(err)
	}
	spans := recorded.GetSpans()
	for _, span := range spans {
		fmt.Println(span.Name, span.SpanKind)
	}
	fmt.Println(spans[1].Parent.SpanID() == spans[0].SpanContext.SpanID())
	// Output:
	// enqueue exports producer
	// perform exports consumer
	// true
}
