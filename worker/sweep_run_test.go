package worker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
)

// scripted is a Redis with one worker of a test's choice. Calls take no time.
type scripted struct {
	pruner
	mu       sync.Mutex
	beat     string // of the worker
	err      error  // of all calls
	refusal  error  // of writes
	open     bool   // the worker's connection
	beats    []time.Time
	observed []time.Time
	locked   []time.Time
	forgot   []string
	leftover []string
}

// do calls fn while no call is running.
func (s *scripted) do(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

const scriptedWorker = "web~go:1:exports"

func (s *scripted) Beat(context.Context, []string, store.Intervals) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.err, s.refusal); err != nil {
		return err
	}
	s.beats = append(s.beats, time.Now())
	return nil
}

func (s *scripted) Observe(context.Context) (store.Observation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return store.Observation{}, s.err
	}
	s.observed = append(s.observed, time.Now())
	return store.Observation{Beats: map[string]string{scriptedWorker: s.beat}, Now: time.Now(), Leftover: s.leftover}, nil
}

func (s *scripted) ForgetIntervals(_ context.Context, ids []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgot, s.leftover = append(s.forgot, ids...), nil
	return s.err
}

func (s *scripted) Connected(_ context.Context, processes []string) (open map[string][]string, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	open = map[string][]string{}
	if s.open {
		open[processes[0]] = []string{"token"}
	}
	return open, true, s.err
}

func (s *scripted) RepairRecord(context.Context, string, string) (head string, repaired bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "", false, s.err
}

// LockPruning says that another process prunes, so that nothing is pruned here.
func (s *scripted) LockPruning(context.Context, string, time.Duration) (ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locked = append(s.locked, time.Now())
	return false, s.err
}

// sweeps runs a sweeper with the default intervals. Time passes when play sleeps.
func sweeps(t *testing.T, play func(redis *scripted, sweeper *sweeper)) (log string) {
	t.Helper()
	var text bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		cfg, err := Config{Queues: []string{"exports"}, Logger: slog.New(slog.NewTextHandler(&text, nil))}.withDefaults()
		require.NoError(t, err)
		redis := &scripted{beat: "2026-01-15T12:34:56+00:00"}
		s := newSweeper(nil, redis, nil, cfg)
		ctx, stop := context.WithCancel(t.Context())
		go s.run(ctx, []string{"own~go:1:exports"})
		play(redis, s)
		stop()
		synctest.Wait()
	})
	return text.String()
}

// The sweeps are close enough to one another for a watch, each but the first shows that
// Redis takes writes, and a dead worker is found after two intervals and a sweep.
func TestSweeperLooksOftenEnough(t *testing.T) {
	t.Parallel()
	var redis *scripted
	sweeps(t, func(r *scripted, _ *sweeper) {
		redis = r
		backoff.Sleep(context.Background(), 10*time.Minute)
	})
	require.NotEmpty(t, redis.observed)
	assert.Len(t, redis.beats, len(redis.observed)-1)
	assert.Less(t, len(redis.observed), 50)
	for i, at := range redis.observed[1:] {
		assert.LessOrEqual(t, at.Sub(redis.observed[i]), 30*time.Second)
	}
	require.NotEmpty(t, redis.locked)
	found := redis.locked[0].Sub(redis.observed[0])
	assert.GreaterOrEqual(t, found, 2*time.Minute+time.Second)
	assert.LessOrEqual(t, found, 2*time.Minute+31*time.Second)
}

func TestSweeperKeepsAConnectedWorker(t *testing.T) {
	t.Parallel()
	sweeps(t, func(r *scripted, _ *sweeper) {
		r.do(func() { r.open = true })
		backoff.Sleep(context.Background(), time.Hour)
		r.do(func() { assert.Empty(t, r.locked) })
	})
}

// Each of these makes the sweeper watch for two intervals again. They come more often than
// that, so it never finds the worker dead.
func TestSweeperBeginsAgainAfterTrouble(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(r *scripted, s *sweeper){
		"redis is away": func(r *scripted, _ *sweeper) {
			r.do(func() { r.err = errors.New("connection refused") })
			backoff.Sleep(context.Background(), time.Minute)
			r.do(func() { r.err = nil })
		},
		"redis refuses writes": func(r *scripted, _ *sweeper) {
			r.do(func() { r.refusal = errors.New("OOM") })
			backoff.Sleep(context.Background(), time.Minute)
			r.do(func() { r.refusal = nil })
		},
		"redis refused a heartbeat between two sweeps": func(_ *scripted, s *sweeper) { s.doubt() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := sweeps(t, func(r *scripted, s *sweeper) {
				for range 30 {
					trouble(r, s)
					backoff.Sleep(context.Background(), 100*time.Second)
				}
				r.do(func() { assert.Empty(t, r.locked) })
				backoff.Sleep(context.Background(), 3*time.Minute)
				r.do(func() { assert.NotEmpty(t, r.locked, "without trouble, it is found") })
			})
			if name != "redis refused a heartbeat between two sweeps" {
				assert.Equal(t, 30, strings.Count(log, "looking for dead workers failed"), "once each time, not for each sweep")
				assert.Equal(t, 30, strings.Count(log, "looking for dead workers works again"))
			}
		})
	}
}

func TestSweeperRemovesLeftoverIntervals(t *testing.T) {
	t.Parallel()
	sweeps(t, func(r *scripted, _ *sweeper) {
		r.do(func() { r.leftover = []string{"gone"} })
		backoff.Sleep(context.Background(), 5*time.Minute)
		r.do(func() { assert.Equal(t, []string{"gone"}, r.forgot) })
	})
}
