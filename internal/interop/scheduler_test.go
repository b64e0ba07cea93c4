package interop_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque/scheduler"
)

// startForSchedulers runs a server. It skips the test unless Ruby can load
// resque-scheduler.
func startForSchedulers(t *testing.T) *redistest.Server {
	t.Helper()
	redistest.Require(t, "resque-scheduler", has("resque-scheduler", "resque"))
	return redistest.StartReal(t)
}

// rubyScheduler runs Ruby's scheduler. kill ends it as kill -9 does.
func rubyScheduler(t *testing.T, s *redistest.Server, environ ...string) (kill func()) {
	t.Helper()
	cmd := exec.Command("ruby", filepath.Join("testdata", "scheduler.rb"))
	cmd.Env = append(os.Environ(), "REDIS_URL="+s.URL, "LOCK_TIMEOUT=1")
	cmd.Env = append(cmd.Env, environ...)
	cmd.Stderr = t.Output()
	require.NoError(t, cmd.Start())
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	return kill
}

// goScheduler runs a scheduler of ours. kill cuts it off from Redis, which sees the same
// as after kill -9; stop stops it as a signal does.
func goScheduler(t *testing.T, s *redistest.Server) (kill, stop func()) {
	t.Helper()
	p := s.Proxy(t)
	client := (&redistest.Server{URL: p.URL}).Client(t)
	sched, err := scheduler.New(client, scheduler.Config{
		Interval: 100 * time.Millisecond, LockTTL: time.Second, BatchSize: 10, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- sched.Run(ctx) }()
	stop = func() {
		cancel()
		assert.NoError(t, <-done)
		done <- nil
	}
	t.Cleanup(stop)
	return func() {
		p.Refuse()
		p.Watch(func([]byte) bool { return false })
		stop()
	}, stop
}

// A Ruby scheduler and ours share a lock and are killed in turn. Each job is enqueued
// once. The jobs of a second are there before the second is, so that Ruby does not lose
// or double those that are pushed while it moves others.
func TestSchedulersOfRubyAndGoTakeTurns(t *testing.T) {
	t.Parallel()
	s := startForSchedulers(t)
	c := s.Conn(t)
	const lock, rounds, jobs = "resque:resque:resque_scheduler_master_lock", 8, 63
	holder := func() string { text, _ := redis.String(c.Do("GET", lock)); return text }
	isGo := func() bool { return strings.Contains(holder(), "~go:") }
	enqueued := func() int {
		n, err := redis.Int(c.Do("LLEN", "resque:queue:mail"))
		require.NoError(t, err)
		return n
	}
	until := func(what string, condition func() bool) {
		t.Helper()
		require.Eventually(t, condition, time.Minute, 5*time.Millisecond, what)
	}
	killRuby := rubyScheduler(t, s)
	until("Ruby is master", func() bool { return holder() != "" })
	require.False(t, isGo())
	killGo, stopGo := goScheduler(t, s)
	var want []string
	masters := map[bool]int{}
	for round := range rounds {
		second := 1000 + round
		for i := range jobs {
			id := round*jobs + i
			payload := fmt.Sprintf(`{"class":"Mail","args":[%d],"queue":"mail"}`, id)
			want = append(want, fmt.Sprintf(`{"class":"Mail","args":[%d]}`, id))
			require.NoError(t, c.Send("RPUSH", fmt.Sprint("resque:delayed:", second), payload))
			require.NoError(t, c.Send("SADD", "resque:timestamps:"+payload, fmt.Sprint("delayed:", second)))
		}
		_, err := c.Do("ZADD", "resque:delayed_queue_schedule", second, second)
		require.NoError(t, err)
		before := enqueued() // at any point of the move
		until("some jobs are enqueued", func() bool { return enqueued() > before || enqueued() == len(want) })
		ours := isGo()
		masters[ours]++
		switch {
		case ours && round%4 == 3:
			stopGo()
			killGo, stopGo = goScheduler(t, s)
		case ours:
			killGo()
			until("Ruby is master", func() bool { return holder() != "" && !isGo() })
			killGo, stopGo = goScheduler(t, s)
		default:
			killRuby()
			until("ours is master", isGo)
			killRuby = rubyScheduler(t, s)
		}
	}
	until("all jobs are enqueued", func() bool { return enqueued() >= len(want) })
	killGo()
	killRuby()
	got := list(t, s, "resque:queue:mail")
	slices.Sort(got)
	slices.Sort(want)
	assert.Equal(t, want, got)
	assert.Greater(t, masters[true], 1)
	assert.Greater(t, masters[false], 1)
	t.Logf("%d jobs; Ruby was master %d times, ours %d times", len(got), masters[false], masters[true])
	left, err := redis.Strings(c.Do("KEYS", "resque:*delayed*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// Ruby's scheduler does not start while ours is master, and starts when ours stops.
func TestRubyWaitsForOurScheduler(t *testing.T) {
	t.Parallel()
	s := startForSchedulers(t)
	c := s.Conn(t)
	holder := func() string {
		text, _ := redis.String(c.Do("GET", "resque:resque:resque_scheduler_master_lock"))
		return text
	}
	_, stop := goScheduler(t, s)
	require.Eventually(t, func() bool { return strings.Contains(holder(), "~go:") }, time.Minute, time.Millisecond)
	rubyScheduler(t, s)
	monitored := s.Monitor(t)
	enqueued := func() bool { n, _ := redis.Int(c.Do("LLEN", "resque:queue:mail")); return n == 1 }
	_, err := c.Do("RPUSH", "resque:delayed:5", `{"class":"Mail","args":[],"queue":"mail"}`)
	require.NoError(t, err)
	_, err = c.Do("ZADD", "resque:delayed_queue_schedule", 5, 5)
	require.NoError(t, err)
	require.Eventually(t, enqueued, time.Minute, time.Millisecond)
	stop()
	require.Eventually(t, func() bool { return holder() != "" && !strings.Contains(holder(), "~go:") }, time.Minute, time.Millisecond)
	for _, command := range monitored() {
		assert.NotEqual(t, []string{"ltrim"}, command[:1], "Ruby moved nothing: %q", command)
	}
}
