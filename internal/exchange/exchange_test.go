package exchange

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/store"
)

// newExchange returns an exchange that logs nothing.
func newExchange(backend Backend, cfg Config) *Exchange {
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.PollInterval = cmp.Or(cfg.PollInterval, 5*time.Second)
	cfg.MinPollInterval = cmp.Or(cfg.MinPollInterval, cfg.PollInterval)
	cfg.MaxPollInterval = cmp.Or(cfg.MaxPollInterval, cfg.PollInterval)
	cfg.QueuesMaxAge = time.Second
	cfg.Slots = cmp.Or(cfg.Slots, 1)
	cfg.LeaveTimeout = 20 * time.Second
	return New(backend, &Outage{Logger: cfg.Logger}, cfg)
}

// fullBackend is a backend whose Redis refuses every outcome.
type fullBackend struct{ Backend }

func (fullBackend) Exchange(_ context.Context, _ []string, finished []store.Outcome, _ []store.Slot) (store.Exchanged, error) {
	x := store.Exchanged{}
	for range finished {
		x.Finished = append(x.Finished, store.FinishResult{Err: redis.Error("OOM command not allowed")})
	}
	return x, nil
}

// nowhere is a Redis without connections.
type nowhere struct{ store.Redis }

func (nowhere) Key(parts ...string) string { return strings.Join(parts, ":") }

// If Redis refuses the outcome of a job that was performed, its slot stays registered
// when the worker ends: unregistering it would return the job to its queue.
func TestSlotsOfLostOutcomesStayRegistered(t *testing.T) {
	t.Parallel()
	const id = "web~go:1:a"
	job := store.Reserved{Worker: id, Queue: "a"}
	st := store.New(nowhere{})
	done, returned := Finish(job, st.Processed(id)), Return(st, job)
	for name, test := range map[string]struct {
		last Finished
		stay []string
	}{
		"performed": {done, []string{id}},
		"not begun": {returned, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x := newExchange(fullBackend{}, Config{Queues: []string{"a"}})
				ctx, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				_, ok := x.Next(ctx, id, &test.last)
				assert.False(t, ok)
				stay, err := x.Lost()
				assert.Equal(t, test.stay, stay)
				assert.ErrorContains(t, err, "recording the result of a job of web~go:1:a: ")
			})
		})
	}
}
