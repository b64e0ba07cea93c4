package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// background runs a worker for as long as the benchmark lasts and returns when
// it is registered.
func background(b *testing.B, s *redistest.Server, mux *resque.Mux, slots int) {
	b.Helper()
	w, err := worker.New(s.Client(b), mux, worker.Config{
		Queues: []string{"exports"}, Concurrency: slots, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(b, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(b.Context()))
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		require.NoError(b, <-ended)
	})
	require.Eventually(b, func() bool { return len(w.IDs()) == slots }, 10*time.Second, time.Millisecond)
}

// BenchmarkPickup measures the time from an RPUSH by another client until an idle
// worker calls the handler: half of the pushes take less than p50-µs.
func BenchmarkPickup(b *testing.B) {
	for _, slots := range []int{1, 25} {
		b.Run(fmt.Sprintf("slots=%d", slots), func(b *testing.B) {
			s := redistest.StartReal(b)
			c := s.Conn(b)
			begun := make(chan time.Time)
			mux := resque.NewMux()
			mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error {
				begun <- time.Now()
				return nil
			})
			background(b, s, mux, slots)
			var took []time.Duration
			for b.Loop() {
				b.StopTimer()
				<-time.After(5 * time.Millisecond) // until it is idle again
				b.StartTimer()
				pushed := time.Now()
				_, err := c.Do("RPUSH", "resque:queue:exports", `{"class":"Exporter","args":[]}`)
				require.NoError(b, err)
				took = append(took, (<-begun).Sub(pushed))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// BenchmarkIdle measures how many commands a second an idle worker sends to Redis,
// including those of its scripts, with the default intervals.
func BenchmarkIdle(b *testing.B) {
	for _, slots := range []int{1, 100} {
		b.Run(fmt.Sprintf("slots=%d", slots), func(b *testing.B) {
			s := redistest.StartReal(b)
			background(b, s, resque.NewMux(), slots)
			<-time.After(time.Second) // until it has started
			stop := s.Monitor(b)
			seconds := 0
			for b.Loop() {
				<-time.After(10 * time.Second) // two polls
				seconds += 10
			}
			commands := len(stop())
			b.ReportMetric(float64(commands)/float64(seconds), "commands/s")
		})
	}
}
