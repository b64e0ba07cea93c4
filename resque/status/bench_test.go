package status_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/status"
	"github.com/goresque/goresque/worker"
)

// BenchmarkDrain performs jobs in 25 slots, without and with a status.
func BenchmarkDrain(b *testing.B) {
	plain := resque.Define1[export]("Plain", "exports")
	with := status.Define[export]("Export", "exports")
	for name, job := range map[string]func() resque.Job{
		"plain":  func() resque.Job { return plain.Job(export{1}) },
		"status": func() resque.Job { return with.Job(export{1}) },
	} {
		b.Run(name, func(b *testing.B) {
			c := redistest.StartReal(b).Client(b)
			jobs := make([]resque.Job, b.N)
			for i := range jobs {
				jobs[i] = job()
			}
			_, err := c.EnqueueAll(b.Context(), jobs)
			require.NoError(b, err)
			mux := resque.NewMux()
			mux.Handle(plain.Handler(func(context.Context, export) error { return nil }))
			mux.Handle(with.Handler(func(context.Context, *status.Progress, export) error { return nil }))
			w, err := worker.New(c, mux, worker.Config{
				Queues: []string{"exports"}, Concurrency: 25, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler),
			})
			require.NoError(b, err)
			b.ResetTimer()
			require.NoError(b, w.Run(b.Context()))
		})
	}
}
