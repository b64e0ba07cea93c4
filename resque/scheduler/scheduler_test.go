package scheduler_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

const mail1, mail2 = `{"class":"Mail","args":[1],"queue":"mail"}`, `{"class":"Mail","args":[2],"queue":"mail"}`

func TestSchedulerMovesDueJobs(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *redistest.Server, c rdb) {
		now := c.now(t).Unix()
		c.delay(t, now-5, mail1)
		c.delay(t, now+1000, mail2)
		start(t, s, scheduler.Config{})
		until(t, "the due job is moved", func() bool { return c.len(t, "resque:queue:mail") == 1 })
		assert.Equal(t, []string{`{"class":"Mail","args":[1]}`}, c.list(t, "resque:queue:mail"))
		assert.Zero(t, c.exists(t, "resque:timestamps:"+mail1))
	})
}

// The master waits for the next second, not for the next poll.
func TestSchedulerMovesAJobWhenItIsDue(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *redistest.Server, c rdb) {
		due := c.now(t).Unix() + 2
		c.delay(t, due, mail1)
		start(t, s, scheduler.Config{Interval: time.Hour, LockTTL: 6 * time.Hour})
		until(t, "the job is moved", func() bool { return c.len(t, "resque:queue:mail") == 1 })
		assert.GreaterOrEqual(t, c.now(t).Unix(), due)
	})
}

// Key tracking makes the master look at what is delayed while it waits.
func TestSchedulerIsToldOfAnEarlierJob(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c := rdb{s.Conn(t)}
	r := start(t, s, scheduler.Config{Interval: time.Hour, LockTTL: 6 * time.Hour})
	until(t, "it is master", func() bool { return r.State().Master })
	for range 3 {
		c.delay(t, c.now(t).Unix(), mail1)
		until(t, "the job is moved", func() bool { return c.len(t, "resque:queue:mail") == 1 })
		c.do(t, "DEL", "resque:queue:mail")
	}
}

func TestSchedulersTakeTurns(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *redistest.Server, c rdb) {
		cfg := scheduler.Config{Interval: 60 * time.Millisecond}
		if s.Real { // it is told that the lock was released
			cfg = scheduler.Config{Interval: time.Hour, LockTTL: 6 * time.Hour}
		}
		first := start(t, s, cfg)
		until(t, "the first is master", func() bool { return first.State().Master })
		second := start(t, s, cfg)
		until(t, "the second knows", func() bool { return second.State().Holder != "" })
		assert.Equal(t, first.State().Holder, second.State().Holder)
		assert.False(t, second.State().Master)
		first.stop()
		until(t, "the second is master", func() bool { return second.State().Master })
		assert.NotEqual(t, first.State().Holder, second.State().Holder)
		second.stop()
		assert.Zero(t, c.exists(t, lock), "the lock is handed back")
		assert.Contains(t, second.log.String(), `msg="another scheduler is master"`)
		assert.Equal(t, 1, strings.Count(second.log.String(), `msg="scheduler is master"`))
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, err := scheduler.New(nil, scheduler.Config{Interval: -1, LockTTL: time.Millisecond, LockPrefix: "a b"})
	require.ErrorContains(t, err, "needs a client with a Redis")
	require.ErrorContains(t, err, "Interval is -1ns")
	require.ErrorContains(t, err, "LockTTL is 1ms")
	require.ErrorContains(t, err, `LockPrefix "a b" contains white space`)
}

func TestRunOnlyOnce(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := start(t, s, scheduler.Config{})
	until(t, "it runs", func() bool { return r.State().Running })
	require.ErrorContains(t, r.Run(t.Context()), "while the scheduler is running")
}

func TestBadJobsFailAndTheRestMovesOn(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *redistest.Server, c rdb) {
		mux := resque.NewMux()
		mux.Handle(resque.Define0("Known", "known").Handler(func(context.Context) error { return nil }))
		c.do(t, "SET", "resque:queue:text", "x")
		c.delay(t, 5, mail1, `{oops`, "\xff\xfe", `[1]`, `{"class":"","args":[]}`, `{"args":[1],"queue":"q"}`,
			`{"class":"Far","args":[1]}`, `{"class":"Far","args":[1],"queue":7}`, `{"class":"Known","args":[]}`,
			`{"class":"Lost","args":[],"queue":"text"}`, strings.Repeat("[", 300), mail2)
		c.do(t, "SET", "resque:delayed:6", "x")
		c.do(t, "ZADD", "resque:delayed_queue_schedule", 6, 6, 7, 7, 8, "word")
		c.delay(t, 9, mail2)
		r := start(t, s, scheduler.Config{Mux: mux})
		until(t, "all good jobs are moved", func() bool { return c.len(t, "resque:queue:mail") == 3 })
		assert.Equal(t, []string{`{"class":"Known","args":[]}`}, c.list(t, "resque:queue:known"))
		failed, err := s.Client(t).Failures().Page(t.Context(), resque.FailedList, 0, 100)
		require.NoError(t, err)
		var got []string
		for _, f := range failed {
			got = append(got, fmt.Sprintf("%s %s %q %q", f.Exception, f.Class, f.Queue, f.Error))
		}
		assert.Equal(t, []string{
			`Resque::Helpers::DecodeException <unreadable> "" "the delayed job cannot be read: invalid JSON at byte 1: unexpected 'o', want a string"`,
			`Resque::Helpers::DecodeException <unreadable> "" "the delayed job cannot be read: invalid JSON at byte 0: unexpected byte 0xff, want a value"`,
			`Resque::Helpers::DecodeException <unreadable> "" "the delayed job cannot be read: payload is not an object"`,
			`Resque::NoClassError  "" "the delayed job has no class"`,
			`Resque::NoClassError  "q" "the delayed job has no class"`,
			`Resque::NoQueueError Far "" "the delayed job has no queue, and the scheduler does not know the queue of class \"Far\""`,
			`Resque::NoQueueError Far "" "the delayed job has no queue, and the scheduler does not know the queue of class \"Far\""`,
			`Redis::CommandError Lost "text" "the key of queue \"text\" is not a list"`,
			`Resque::Helpers::DecodeException <unreadable> "" "the delayed job cannot be read: invalid JSON at byte 100: nesting of 101 is too deep"`,
		}, got)
		assert.Equal(t, 1, strings.Count(r.log.String(), "a delayed second cannot be read"))
	})
}
