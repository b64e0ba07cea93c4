package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// BenchmarkDrain is a job's whole life, from its reserve to its recorded end,
// with its share of the worker's start and stop.
func BenchmarkDrain(b *testing.B) {
	for _, slots := range []int{1, 25, 100} {
		b.Run(fmt.Sprintf("slots=%d", slots), func(b *testing.B) {
			s := redistest.Start(b)
			mux := resque.NewMux()
			exporter := resque.Define1[int64]("Exporter", "exports")
			mux.Handle(exporter.Handler(func(context.Context, int64) error { return nil }))
			c := s.Conn(b)
			for i := range b.N {
				require.NoError(b, c.Send("RPUSH", "resque:queue:exports", fmt.Sprintf(`{"class":"Exporter","args":[%d]}`, i)))
			}
			_, err := c.Do("")
			require.NoError(b, err)
			w, err := worker.New(s.Client(b), mux, worker.Config{
				Queues: []string{"exports"}, Concurrency: slots, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler),
			})
			require.NoError(b, err)
			b.ReportAllocs()
			b.ResetTimer()
			require.NoError(b, w.Run(b.Context()))
		})
	}
}
