package otel_test

import (
	"context"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/otel"
)

// kinds returns ways of tracing that differ in cost.
func kinds() map[string]func() *otel.Tracing {
	traced := func(carry bool, sampler sdk.Sampler) func() *otel.Tracing {
		return func() *otel.Tracing {
			provider := sdk.NewTracerProvider(sdk.WithSampler(sampler), sdk.WithSpanProcessor(sdk.NewSimpleSpanProcessor(tracetest.NewNoopExporter())))
			return otel.New(otel.Config{TracerProvider: provider, Carry: carry})
		}
	}
	return map[string]func() *otel.Tracing{
		"none":            nil,
		"unsampled":       traced(false, sdk.NeverSample()),
		"sampled":         traced(false, sdk.AlwaysSample()),
		"sampled-carried": traced(true, sdk.AlwaysSample()),
	}
}

// BenchmarkPerform measures what tracing adds to performing a job.
func BenchmarkPerform(b *testing.B) {
	for name, kind := range kinds() {
		b.Run(name, func(b *testing.B) {
			mux := resque.NewMux()
			if kind != nil {
				mux.Use(kind().Perform)
			}
			mux.Handle(exporter.Handler(func(context.Context, int64) error { return nil }))
			payload := []byte(`{"class":"Exporter","args":[42]}`)
			if name == "sampled-carried" {
				payload = []byte(`{"class":"Exporter","args":[42],"traceparent":"` + parent + `"}`)
			}
			b.ReportAllocs()
			for b.Loop() {
				job, err := resque.ParsePayload("exports", payload)
				if err != nil {
					b.Fatal(err)
				}
				if err := resque.Perform(b.Context(), mux, job); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEnqueue measures what tracing adds to enqueueing a job, without Redis.
func BenchmarkEnqueue(b *testing.B) {
	for name, kind := range kinds() {
		b.Run(name, func(b *testing.B) {
			enqueue := func(_ context.Context, job resque.Job) (resque.Receipt, error) {
				_, err := job.Encode()
				return resque.Receipt{State: resque.Queued}, err
			}
			if kind != nil {
				enqueue = kind().Enqueue(enqueue)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := enqueue(b.Context(), exporter.Job(42)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
