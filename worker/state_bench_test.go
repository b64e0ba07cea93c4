package worker_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// BenchmarkOnState measures a job with OnState and without.
func BenchmarkOnState(b *testing.B) {
	for _, watched := range []bool{false, true} {
		name := "unwatched"
		if watched {
			name = "watched"
		}
		b.Run(name, func(b *testing.B) {
			s := redistest.Start(b)
			mux := resque.NewMux()
			mux.Handle(resque.Define0("Nothing", "mail").Handler(func(context.Context) error { return nil }))
			c := s.Conn(b)
			require.NoError(b, c.Send("SADD", "resque:queues", "mail"))
			for range b.N {
				require.NoError(b, c.Send("RPUSH", "resque:queue:mail", `{"class":"Nothing","args":[]}`))
			}
			_, err := c.Do("")
			require.NoError(b, err)
			cfg := worker.Config{
				Queues: []string{"mail"}, Concurrency: 64, UntilEmpty: true,
				Logger: slog.New(slog.DiscardHandler),
			}
			if watched {
				cfg.OnState = func(worker.State) {}
			}
			w, err := worker.New(s.Client(b), mux, cfg)
			require.NoError(b, err)
			b.ResetTimer()
			require.NoError(b, w.Run(b.Context()))
		})
	}
}
