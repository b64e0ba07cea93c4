package resque_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// BenchmarkPayload is encoding: what Enqueue does before it meets Redis.
func BenchmarkPayload(b *testing.B) {
	for _, args := range [][]any{{int64(42)}, {"user@example.org", int64(42), map[string]any{"format": "csv", "rows": 1000}}} {
		b.Run(fmt.Sprintf("args=%d", len(args)), func(b *testing.B) {
			job := resque.Job{Queue: "exports", Class: "Exporter", Args: args}
			b.ReportAllocs()
			for b.Loop() {
				_, err := job.Encode()
				require.NoError(b, err)
			}
		})
	}
}

// BenchmarkPerform is decoding and the call of a typed handler: what a worker
// does between a job's reserve and its end.
func BenchmarkPerform(b *testing.B) {
	mux := resque.NewMux()
	mux.Handle(resque.Define1[int64]("Exporter", "exports").Handler(func(context.Context, int64) error { return nil }))
	payload := []byte(`{"class":"Exporter","args":[42]}`)
	b.ReportAllocs()
	for b.Loop() {
		job, err := resque.ParsePayload("exports", payload)
		require.NoError(b, err)
		require.NoError(b, resque.Perform(b.Context(), mux, job))
	}
}

// BenchmarkEnqueueAtOnce is one job a call, answered, by so many goroutines a processor.
func BenchmarkEnqueueAtOnce(b *testing.B) {
	for _, goroutines := range []int{1, 8} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			client := redistest.Start(b).Client(b)
			job := resque.Define1[int64]("Exporter", "exports").Job(42)
			b.SetParallelism(goroutines)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, err := client.Enqueue(b.Context(), job)
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
