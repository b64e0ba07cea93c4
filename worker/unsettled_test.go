package worker

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
)

// full is a backend that is read only, or full, for good.
type full struct{ exchanger }

func (full) Exchange(_ context.Context, _ []string, finished []store.Outcome, _ []store.Slot) (store.Exchanged, error) {
	x := store.Exchanged{}
	for range finished {
		x.Settled = append(x.Settled, store.Settled{Err: redis.Error("OOM command not allowed")})
	}
	return x, nil
}

// nowhere is a Redis that is not asked.
type nowhere struct{ store.Redis }

func (nowhere) Key(parts ...string) string { return strings.Join(parts, ":") }

// A slot stays registered for a job that was performed and whose end Redis does
// not take before the worker must go: leaving would put the job back.
func TestWhichSlotsStayWhenRedisIsFull(t *testing.T) {
	t.Parallel()
	const id = "web~go:1:a"
	job := store.Reserved{Worker: id, Queue: "a"}
	of := outcomes{effects: store.New(nowhere{})}
	for name, test := range map[string]struct {
		last *ending
		stay []string
	}{
		"performed": {of.done(job), []string{id}},
		"not begun": {of.unstarted(job), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg, err := Config{Queues: []string{"a"}, Logger: slog.New(slog.DiscardHandler)}.withDefaults()
				require.NoError(t, err)
				x := newExchange(full{}, away(cfg.Logger), cfg)
				ctx, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				_, ok := x.turn(ctx, id, test.last)
				assert.False(t, ok)
				stay, err := x.lost()
				assert.Equal(t, test.stay, stay)
				assert.ErrorContains(t, err, "the end of a job of web~go:1:a is not recorded")
			})
		})
	}
}

func TestLeavingDoesNotPutBackWhatWasPerformed(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	st := store.New(s.Open(t))
	cfg, err := Config{Queues: []string{"exports"}, Concurrency: 2, Logger: slog.New(slog.DiscardHandler)}.withDefaults()
	require.NoError(t, err)
	r := &registry{backend: st, dead: &sweeper{backend: st, cfg: cfg}, cfg: cfg}
	ids, err := r.enter(t.Context())
	require.NoError(t, err)
	for _, id := range ids {
		_, err := c.Do("SET", "resque:worker:"+id, recorded)
		require.NoError(t, err)
	}
	require.NoError(t, r.leave(t.Context(), ids[0]))
	waiting, err := redis.Int(c.Do("LLEN", "resque:queue:exports"))
	require.NoError(t, err)
	assert.Equal(t, 1, waiting, "that of the other slot, which nobody began")
	left, err := redis.Strings(c.Do("SMEMBERS", "resque:workers"))
	require.NoError(t, err)
	assert.Equal(t, ids[:1], left, "for the sweepers to find")
	record, err := redis.String(c.Do("GET", "resque:worker:"+ids[0]))
	require.NoError(t, err)
	assert.Equal(t, recorded, record)
}
