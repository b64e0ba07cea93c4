package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/worker"
)

// Each performed job is measured once, however it ended. Jobs that were not performed, or
// that asked to be performed again, are not.
func TestWorkerMeasuresItsJobs(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		good := resque.Define0("Good", "q")
		bad := resque.Define0("Bad", "q")
		retried := resque.Define0("Retried", "q", retry.Policy{Limit: 3, Delay: retry.After(time.Hour)})
		snoozed := resque.Define0("Snoozed", "q")
		refused := resque.Define0("Refused", "q")
		mux := resque.NewMux()
		mux.Handle(good.Handler(func(context.Context) error { return nil }))
		mux.Handle(bad.Handler(func(context.Context) error { return errors.New("no") }))
		mux.Handle(retried.Handler(func(context.Context) error { return errors.New("no") }))
		mux.Handle(snoozed.Handler(func(context.Context) error { return resque.Snooze(time.Hour) }))
		mux.Handle(refused.Handler(func(context.Context) error { return resque.ErrDontPerform }))
		for _, job := range []resque.Job{good.Job(), good.Job(), good.Job(), bad.Job(), retried.Job(), snoozed.Job(), refused.Job(), {Queue: "q", Class: "Unknown"}} {
			enqueue(t, s, job)
		}
		for name, logger := range map[string]*slog.Logger{"logs": (&journal{}).logger(), "silent": slog.New(slog.DiscardHandler)} {
			w := newWorker(t, s, mux, worker.Config{Queues: []string{"q"}, Concurrency: 3, UntilEmpty: true, Metrics: true, Logger: logger})
			require.NoError(t, w.Run(t.Context()), name)
			enqueue(t, s, good.Job())
		}
		times, err := s.Client(t).ClassTimes(t.Context(), resque.LastHour)
		require.NoError(t, err)
		got := map[string][2]int64{}
		for _, c := range times {
			got[c.Class] = [2]int64{c.Jobs, c.Failed}
		}
		assert.Equal(t, map[string][2]int64{"Good": {4, 0}, "Bad": {1, 1}, "Retried": {1, 1}, "Unknown": {1, 1}}, got)
		history, err := s.Client(t).History(t.Context(), resque.LastHour)
		require.NoError(t, err)
		assert.NotEmpty(t, history)

		plain := newWorker(t, s, mux, worker.Config{Queues: []string{"q"}, UntilEmpty: true})
		do(t, s.Conn(t), "FLUSHALL")
		enqueue(t, s, good.Job())
		require.NoError(t, plain.Run(t.Context()))
		assert.Empty(t, do(t, s.Conn(t), "KEYS", "resque:goresque:metrics:*"), "only with the setting Metrics")
	})
}
