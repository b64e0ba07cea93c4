package worker_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// One call copies a limited number of bytes, so that it does not block Redis for long.
// Slots that are still free look again at once: the next poll is an hour away, and each
// job waits until all of them run.
func TestLargeJobsUseAllSlots(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		const slots = 8
		c := s.Conn(t)
		for range slots {
			do(t, c, "RPUSH", "resque:queue:exports", `{"class":"Exporter","args":["`+strings.Repeat("x", 600_000)+`"]}`)
		}
		do(t, c, "SADD", "resque:queues", "exports")
		var running atomic.Int64
		all := make(chan struct{})
		mux := resque.NewMux()
		mux.HandleFunc("Exporter", func(ctx context.Context, _ *resque.Payload) error {
			if running.Add(1) == slots {
				close(all)
			}
			select {
			case <-all:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		w := newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}, Concurrency: slots, PollInterval: time.Hour})
		end := goRun(t, w)
		select {
		case <-all:
			w.Quit()
		case err := <-end:
			t.Fatalf("the worker ended with %d of %d jobs running: %v", running.Load(), slots, err)
		}
		require.NoError(t, <-end)
		assert.EqualValues(t, slots, running.Load())
		assert.Empty(t, failures(t, c))
		requireGone(t, c)
	})
}

// A large payload that Ruby could not read fails like a small one, and its bytes are
// kept.
func TestLargeUnreadablePayloadFails(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		c := s.Conn(t)
		payload := `{"class":"Exporter","args":["` + strings.Repeat("\xff", 200_000) + `"]}`
		do(t, c, "RPUSH", "resque:queue:exports", payload)
		do(t, c, "SADD", "resque:queues", "exports")
		w := newWorker(t, s, resque.NewMux(), worker.Config{Queues: []string{"exports"}, UntilEmpty: true})
		require.NoError(t, w.Run(t.Context()))
		var got []resque.FailedJob
		for job, err := range s.Client(t).Failures().Newest(t.Context(), resque.FailureFilter{}) {
			require.NoError(t, err)
			got = append(got, job)
		}
		require.Len(t, got, 1)
		assert.Equal(t, "Resque::Helpers::DecodeException", got[0].Exception)
		assert.True(t, payload == string(got[0].Original()))
	})
}
