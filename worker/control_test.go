package worker_test

import (
	"context"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/status"
	"github.com/goresque/goresque/worker"
)

func ordersOf(t *testing.T, c redis.Conn) map[string]string {
	t.Helper()
	orders, err := redis.StringMap(do(t, c, "HGETALL", "resque:goresque:orders"), nil)
	require.NoError(t, err)
	return orders
}

// A worker with remote control pauses, resumes and stops when it is told to, whether Redis
// tells it or it polls. An order for one slot is for all.
func TestWorkersFollowOrders(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]worker.Config{"tracking": {}, "polling": {MaxWaiting: -1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t)
			c, client := s.Conn(t), s.Client(t)
			do(t, c, "HSET", "resque:goresque:orders", "dead~go:1:exports", "quiet")
			performed := make(chan struct{}, 10)
			mux := resque.NewMux()
			mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error { performed <- struct{}{}; return nil })
			paused := make(chan bool, 100)
			cfg.Queues, cfg.Concurrency, cfg.RemoteControl = []string{"exports"}, 3, true
			cfg.OnState = func(state worker.State) { paused <- state.Paused }
			until := func(want bool) {
				for got := range paused {
					if got == want {
						return
					}
				}
			}
			over := make(chan error, 1)
			w := newWorker(t, s, mux, cfg)
			go func() { over <- w.Run(t.Context()) }()
			eventually(t, func() bool { return len(ordersOf(t, c)) == 3 }, "it does not note its slots, or leaves the dead one")
			workers, err := client.Workers(t.Context())
			require.NoError(t, err)
			require.Len(t, workers, 3)
			all := func(order string) func() bool {
				return func() bool {
					for _, w := range workers {
						if ordersOf(t, c)[w.ID] != order {
							return false
						}
					}
					return true
				}
			}
			require.NoError(t, client.TellWorker(t.Context(), workers[1].ID, resque.OrderQuiet))
			until(true)
			eventually(t, all("quiet"), "the other slots do not say that they are paused")
			snap, err := client.Snapshot(t.Context())
			require.NoError(t, err)
			assert.Equal(t, resque.OrderQuiet, snap.Workers[0].Order)
			enqueue(t, s, exporters(1)...)
			do(t, c, "DEL", "resque:goresque:orders") // Redis loses it: the worker stays as it is
			eventually(t, all("quiet"), "it does not note its slots again")
			assert.Empty(t, performed)

			require.NoError(t, client.TellWorker(t.Context(), workers[2].ID, resque.OrderWork))
			<-performed
			eventually(t, all("work"), "the other slots do not say that they work")

			require.NoError(t, client.TellWorker(t.Context(), workers[0].ID, resque.OrderStop))
			require.NoError(t, <-over)
			assert.Empty(t, ordersOf(t, c), "a worker that ended takes no orders")
			assert.ErrorIs(t, client.TellWorker(t.Context(), workers[0].ID, resque.OrderStop), resque.ErrTakesNoOrders)
		})
	}
}

// Ruby's workers, and Go's without remote control, take no orders.
func TestOtherWorkersTakeNoOrders(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c, client := s.Conn(t), s.Client(t)
		do(t, c, "HSET", "resque:goresque:orders", "ruby:1:exports", "work")
		for _, id := range []string{"ruby:1:exports", "other~go:1:exports", ""} {
			require.ErrorIs(t, client.TellWorker(t.Context(), id, resque.OrderStop), resque.ErrTakesNoOrders, id)
		}
		require.ErrorContains(t, client.TellWorker(t.Context(), "other~go:1:exports", "dance"), `unknown order "dance"`)
		assert.Equal(t, map[string]string{"ruby:1:exports": "work"}, ordersOf(t, c))
	})
}

// A worker that cannot read its orders, or the jobs to kill, sees all others that are to stop,
// and says once what it cannot read. It follows orders again when it can.
func TestJobsAreCanceledIfOrdersCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]worker.Config{"tracking": {}, "polling": {MaxWaiting: -1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t)
			c := s.Conn(t)
			do(t, c, "SET", "resque:goresque:orders", "not a hash")
			begun, causes := make(chan struct{}, 10), make(chan error, 10)
			export := status.Define[struct{}]("Export", "exports")
			mux := resque.NewMux()
			mux.Handle(export.Handler(func(ctx context.Context, _ *status.Progress, _ struct{}) error {
				begun <- struct{}{}
				<-ctx.Done()
				causes <- context.Cause(ctx)
				return ctx.Err()
			}))
			log := new(journal)
			cfg.Queues, cfg.RemoteControl, cfg.Logger = []string{"exports"}, true, log.logger()
			w := newWorker(t, s, mux, cfg)
			over := make(chan error, 1)
			go func() { over <- w.Run(t.Context()) }()
			cancel := func() {
				id, err := export.Enqueue(t.Context(), s.Client(t), struct{}{})
				require.NoError(t, err)
				require.NotEmpty(t, id)
				<-begun
			}
			cancel()
			cancelOne(t, s)
			assert.Equal(t, resque.ErrCanceled, <-causes)
			eventually(t, func() bool { return log.count("the orders to the worker cannot be read or noted, it takes none") == 1 }, "it does not say so")

			eventually(t, func() bool { return do(t, c, "EXISTS", "resque:worker:"+onlyWorker(t, s)) == int64(0) }, "the job does not end")
			cancel()
			do(t, c, "SET", "resque:_kill", "not a set")
			cancelOne(t, s)
			assert.Equal(t, resque.ErrCanceled, <-causes)
			assert.Equal(t, 1, log.count("not all jobs to cancel or to kill can be read"))
			assert.Equal(t, 1, log.count("the orders to the worker cannot be read or noted, it takes none"))

			do(t, c, "DEL", "resque:goresque:orders", "resque:_kill")
			eventually(t, func() bool { return len(ordersOf(t, c)) == 1 }, "it takes no orders again")
			require.NoError(t, s.Client(t).TellWorker(t.Context(), onlyWorker(t, s), resque.OrderStop))
			require.NoError(t, <-over)
		})
	}
}

// onlyWorker returns the id of the only worker.
func onlyWorker(t *testing.T, s *redistest.Server) string {
	t.Helper()
	workers, err := s.Client(t).Workers(t.Context())
	require.NoError(t, err)
	require.Len(t, workers, 1)
	return workers[0].ID
}

// However many orders came before it, the last one is followed.
func TestNoOrderIsLost(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		w := newWorker(t, s, resque.NewMux(), worker.Config{Queues: []string{"exports"}})
		for range 100 {
			w.Pause()
			w.Resume()
		}
		w.Quit()
		require.NoError(t, w.Run(t.Context()))
	})
}
