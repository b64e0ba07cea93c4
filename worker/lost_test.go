package worker_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// A worker that is alive is pruned while it performs a job. The job's context ends, its
// result is not recorded, and the worker goes on.
func TestJobOfAPrunedWorkerIsToldToEnd(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		var hooked atomic.Int64
		var begun atomic.Bool
		causes := make(chan error, 1)
		exporter := resque.Define1[int64]("Exporter", "exports", resque.OnFailure(func(context.Context, *resque.Payload, error) error {
			hooked.Add(1)
			return nil
		}))
		mux := resque.NewMux()
		mux.Handle(exporter.Handler(func(ctx context.Context, id int64) error {
			if id == 1 {
				begun.Store(true)
				<-ctx.Done()
				causes <- context.Cause(ctx)
				return errors.New("the job saw the end of its context")
			}
			return nil
		}))
		log := &journal{}
		w := newWorker(t, s, mux, worker.Config{
			Queues: []string{"exports"}, PollInterval: 50 * time.Millisecond, HeartbeatInterval: 50 * time.Millisecond, Logger: log.logger(),
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		c := s.Conn(t)
		enqueue(t, s, exporter.Job(1))
		eventually(t, begun.Load, "the job runs")

		_, err := s.Client(t).Prune(t.Context(), w.IDs()[0], resque.PruneOptions{Handler: mux, Force: true})
		require.NoError(t, err)
		select {
		case cause := <-causes:
			require.ErrorIs(t, cause, resque.ErrLost)
			require.ErrorIs(t, cause, resque.ErrTerm)
		case <-time.After(time.Minute):
			require.Fail(t, "the job's context has not ended")
		}
		enqueue(t, s, exporter.Job(2))
		eventually(t, func() bool { return number(t, c, "resque:stat:processed") == 1 }, "the worker performs the next job")
		stop()
		require.NoError(t, <-ended)
		assert.EqualValues(t, 1, do(t, c, "LLEN", "resque:failed"), "the failure of the pruned worker")
		assert.EqualValues(t, 1, hooked.Load())
		assert.Equal(t, 1, log.count("the record of a running job is gone"))
		assert.Zero(t, log.count("job failed"))
	})
}
