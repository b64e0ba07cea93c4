package resque_test

import (
	"strconv"
	"testing"
	"time"

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

// delayedExporters returns n jobs that are due in a hundred seconds, from an hour on.
func delayedExporters(n int) []resque.Job {
	due := time.Now().Add(time.Hour)
	jobs := make([]resque.Job, n)
	for i := range jobs {
		jobs[i] = Exporter.Job(int64(i)).At(due.Add(time.Duration(i%100) * time.Second))
	}
	return jobs
}

// BenchmarkEnqueueAt is BenchmarkEnqueue with a delay.
func BenchmarkEnqueueAt(b *testing.B) {
	client := redistest.Start(b).Client(b)
	jobs := delayedExporters(10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, err := client.Enqueue(b.Context(), jobs[i%len(jobs)])
		require.NoError(b, err)
	}
}

// BenchmarkEnqueueAtInParallel is BenchmarkEnqueueAtOnce with a delay.
func BenchmarkEnqueueAtInParallel(b *testing.B) {
	for _, goroutines := range []int{1, 8} {
		b.Run("goroutines="+strconv.Itoa(goroutines), func(b *testing.B) {
			client := redistest.Start(b).Client(b)
			jobs := delayedExporters(10_000)
			b.SetParallelism(goroutines)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if _, err := client.Enqueue(b.Context(), jobs[i%len(jobs)]); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkEnqueueAllDelayed is BenchmarkEnqueueAll with delays.
func BenchmarkEnqueueAllDelayed(b *testing.B) {
	s := redistest.Start(b)
	client, c := s.Client(b), s.Conn(b)
	jobs := delayedExporters(10_000)
	b.ReportAllocs()
	for b.Loop() {
		receipts, err := client.EnqueueAll(b.Context(), jobs)
		require.NoError(b, err)
		require.Len(b, jobs, receipts.Enqueued())
		b.StopTimer()
		_, err = c.Do("FLUSHALL")
		require.NoError(b, err)
		b.StartTimer()
	}
	b.ReportMetric(float64(len(jobs)*b.N)/b.Elapsed().Seconds(), "jobs/s")
}
