package interop_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// twoOfEach waits until a queue has each payload twice, and no other.
func twoOfEach(t *testing.T, s *redistest.Server, queue string, payloads ...string) {
	t.Helper()
	c := s.Conn(t)
	require.Eventually(t, func() bool {
		found := map[string]int{}
		items, err := redis.Strings(c.Do("LRANGE", "resque:queue:"+queue, 0, -1))
		for _, item := range items {
			found[item]++
		}
		for _, p := range payloads {
			if found[p] < 2 {
				return false
			}
		}
		return err == nil && assert.Len(t, found, len(payloads), "%v", found)
	}, time.Minute, 20*time.Millisecond)
}

func TestRubysSchedulerFiresWhatSetWrote(t *testing.T) {
	t.Parallel()
	s := startForSchedulers(t)
	client := s.Client(t)
	for _, e := range []scheduler.Entry{
		{Name: "interval", Every: time.Second, FirstIn: time.Second, Job: resque.Job{Queue: "go", Class: "Interval", Args: []any{1.0, "é<", map[string]any{"a": nil}}}},
		{Name: "half", Every: 500 * time.Millisecond, Job: resque.Job{Queue: "go", Class: "Half"}},
		{Name: "seconds", Cron: "* * * * * * Europe/Stockholm", Description: "each <second>", Job: resque.Job{Queue: "go", Class: "Seconds"}},
		{Name: "elsewhere", Every: time.Second, Env: "staging", Job: resque.Job{Queue: "go", Class: "Elsewhere"}},
	} {
		_, err := scheduler.Set(t.Context(), client, e)
		require.NoError(t, err)
	}
	rubyScheduler(t, s, "DYNAMIC=1")
	twoOfEach(t, s, "go", `{"class":"Interval","args":[1.0,"é<",{"a":null}]}`, `{"class":"Half","args":[]}`, `{"class":"Seconds","args":[]}`)

	all, err := scheduler.Schedules(t.Context(), client)
	require.NoError(t, err)
	require.Len(t, all, 4)
	for _, e := range all {
		require.NoError(t, e.Err, e.Name)
		require.Equal(t, e.Name != "elsewhere", !e.Last.IsZero(), e.Name)
	}
	require.NoError(t, scheduler.Remove(t.Context(), client, "half"))
	require.Eventually(t, func() bool {
		n, err := redis.Int(s.Conn(t).Do("SCARD", "resque:schedules_changed"))
		return err == nil && n == 0
	}, time.Minute, 20*time.Millisecond, "Ruby has read the change")
}

func TestOurSchedulerFiresWhatRubySetScheduleWrote(t *testing.T) {
	t.Parallel()
	s := startForSchedulers(t)
	sched, err := scheduler.New(s.Client(t), scheduler.Config{Dynamic: true, Interval: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- sched.Run(ctx) }()
	ruby(t, s, "schedules.rb")
	twoOfEach(t, s, "ruby", `{"class":"Second","args":[1.0,"é<",{"a":null}]}`, `{"class":"Cron","args":["x"]}`)
	cancel()
	require.NoError(t, <-done)
}
