package resque_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// BenchmarkEnqueueAll places 10,000 jobs an iteration.
func BenchmarkEnqueueAll(b *testing.B) {
	s := redistest.Start(b)
	client, c := s.Client(b), s.Conn(b)
	jobs := make([]resque.Job, 10_000)
	for i := range jobs {
		jobs[i] = Exporter.Job(int64(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		receipts, err := client.EnqueueAll(b.Context(), jobs)
		require.NoError(b, err)
		require.Len(b, jobs, receipts.Enqueued())
		b.StopTimer()
		_, err = c.Do("DEL", "resque:queue:exports")
		require.NoError(b, err)
		b.StartTimer()
	}
	b.ReportMetric(float64(len(jobs)*b.N)/b.Elapsed().Seconds(), "jobs/s")
}

func BenchmarkEnqueue(b *testing.B) {
	client := redistest.Start(b).Client(b)
	b.ReportAllocs()
	for b.Loop() {
		_, err := client.Enqueue(b.Context(), Exporter.Job(1<<40))
		require.NoError(b, err)
	}
}
