package worker_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/worker"
)

// cancelOne cancels the job of the only worker.
func cancelOne(t *testing.T, s *redistest.Server) {
	t.Helper()
	working, err := s.Client(t).Working(t.Context())
	require.NoError(t, err)
	require.Len(t, working, 1)
	told, err := s.Client(t).CancelRunning(t.Context(), working[0].ID, working[0].RunAtText)
	require.NoError(t, err)
	assert.True(t, told)
}

// The context of a canceled job ends with a cause. The job fails and is not retried,
// whether Redis tells the worker or the worker polls.
func TestCanceledJobsEnd(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]worker.Config{"tracking": {}, "polling": {MaxWaiting: -1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t)
			begun, causes := make(chan struct{}, 10), make(chan error, 10)
			mux := resque.NewMux()
			mux.HandleFunc("Exporter", func(ctx context.Context, _ *resque.Payload) error {
				begun <- struct{}{}
				<-ctx.Done()
				causes <- context.Cause(ctx)
				return ctx.Err()
			}, retry.Policy{Limit: 3})
			enqueue(t, s, exporters(2)...)
			cfg.Queues = []string{"exports"}
			goRun(t, newWorker(t, s, mux, cfg))
			c := s.Conn(t)
			for n := 1; n <= 2; n++ { // the second is canceled when the worker watches already
				<-begun
				cancelOne(t, s)
				assert.Equal(t, resque.ErrCanceled, <-causes)
				eventually(t, func() bool { return do(t, c, "LLEN", "resque:failed") == int64(n) }, "it does not fail")
			}
			for _, f := range failures(t, c) {
				assert.Equal(t, "Resque::JobCanceled", f.Exception)
				assert.Equal(t, "the job was canceled", f.Error)
			}
			assert.EqualValues(t, 2, number(t, c, "resque:stat:failed"))
		})
	}
}

// Only the job that the caller has seen is canceled, and only of a Go worker.
func TestOnlyTheJobThatWasSeenIsCanceled(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c, client := s.Conn(t), s.Client(t)
		const id = "elsewhere~go:1:exports"
		told, err := client.CancelRunning(t.Context(), id, "")
		require.NoError(t, err)
		assert.False(t, told, "it performs no job")
		do(t, c, "SET", "resque:worker:"+id, `{"queue":"exports","run_at":"2026-01-15T12:34:56.000000001Z","payload":{"class":"X","args":[]}}`)
		for runAt, want := range map[string]bool{"2026-01-15T12:34:56.000000002Z": false, "2026-01-15T12:34:56.000000001Z": true, "": true} {
			told, err := client.CancelRunning(t.Context(), id, runAt)
			require.NoError(t, err)
			assert.Equal(t, want, told, runAt)
		}
		notes, err := redis.StringMap(c.Do("HGETALL", "resque:goresque:cancel"))
		require.NoError(t, err)
		assert.Equal(t, map[string]string{id: `{"queue":"exports","run_at":"2026-01-15T12:34:56.000000001Z",`}, notes)
		_, err = client.CancelRunning(t.Context(), "host:1:exports", "")
		assert.True(t, errors.Is(err, resque.ErrNotCancelable))
	})
}
