package limit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/limit"
)

func TestQueueLimitsAreSetListedAndCleared(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, err := resque.New(s.Open(t), resque.Config{})
		require.NoError(t, err)
		ctx := t.Context()
		all, err := limit.List(ctx, client)
		require.NoError(t, err)
		assert.Empty(t, all)
		_, ok, err := limit.Get(ctx, client, "a")
		require.NoError(t, err)
		assert.False(t, ok)

		both := limit.Queue{Concurrency: 5, Rate: limit.PerMinute(100), Burst: 10}
		require.NoError(t, limit.Set(ctx, client, "b", both))
		require.NoError(t, limit.Set(ctx, client, "a", limit.Queue{Concurrency: 1}))
		require.NoError(t, client.Push(ctx, "a", []byte(`{"class":"A","args":[]}`)))
		all, err = limit.List(ctx, client)
		require.NoError(t, err)
		assert.Equal(t, []limit.State{{Queue: "a", Limit: limit.Queue{Concurrency: 1}, Waiting: 1}, {Queue: "b", Limit: both}}, all)
		got, ok, err := limit.Get(ctx, client, "b")
		require.NoError(t, err)
		assert.True(t, ok)
		assert.Equal(t, "5 at once, 100/min, burst 10", got.Limit.String())

		existed, err := limit.Clear(ctx, client, "b")
		require.NoError(t, err)
		assert.True(t, existed)
		existed, err = limit.Clear(ctx, client, "b")
		require.NoError(t, err)
		assert.False(t, existed)
	})
}

func TestDamagedLimitsAreListedWithAnError(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, err := resque.New(s.Open(t), resque.Config{})
		require.NoError(t, err)
		c := s.Conn(t)
		for _, command := range [][]any{
			{"HSET", "resque:goresque:limits", "a", "x", "b", `{"concurrency":2}`}, {"SET", "resque:goresque:held:q:b", "x"},
		} {
			_, err := c.Do(command[0].(string), command[1:]...)
			require.NoError(t, err)
		}
		all, err := limit.List(t.Context(), client)
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.ErrorContains(t, all[0].Err, "not JSON")
		require.ErrorContains(t, all[1].Err, "goresque:held:q:b")
		assert.Equal(t, int64(2), all[1].Limit.Concurrency)
	})
}

func TestInvalidLimitsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		queue string
		limit limit.Queue
		want  string
	}{
		{"a", limit.Queue{}, "neither Concurrency nor Rate is set (a limit of 0 is not possible: pause the queue instead)"},
		{"a", limit.Queue{Concurrency: -1}, "Concurrency is -1; it must not be negative"},
		{"a", limit.Queue{Rate: limit.PerMinute(0)}, "Rate: 0 jobs (it must be more than 0)"},
		{"a", limit.Queue{Rate: limit.PerMinute(-5)}, "Rate: -5 jobs"},
		{"a", limit.Queue{Rate: limit.Rate{Jobs: 1}}, "Rate: per 0s (it must be whole milliseconds"},
		{"a", limit.Queue{Rate: limit.Rate{Jobs: 1, Per: time.Microsecond}}, "whole milliseconds"},
		{"a", limit.Queue{Rate: limit.PerSecond(200_000)}, "more than 100,000 jobs a second"},
		{"a", limit.Queue{Concurrency: 1, Burst: 2}, "Burst without Rate"},
		{"a", limit.Queue{Rate: limit.PerMinute(1), Burst: -2}, "Burst is -2"},
		{"", limit.Queue{Concurrency: 1}, "the name of the queue is empty"},
		{"\xff", limit.Queue{Concurrency: 1}, "not valid UTF-8"},
	} {
		client, err := resque.New(redistest.StartEmbedded(t).Open(t), resque.Config{})
		require.NoError(t, err)
		require.ErrorContains(t, limit.Set(t.Context(), client, c.queue, c.limit), c.want)
	}
}

func TestRatesAreParsedAsTheyArePrinted(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]limit.Rate{
		"100/min": limit.PerMinute(100), "1/s": limit.PerSecond(1), "7/h": limit.PerHour(7), "2/day": {Jobs: 2, Per: 24 * time.Hour},
		"5/30s": {Jobs: 5, Per: 30 * time.Second}, "5/1.5s": {Jobs: 5, Per: 1500 * time.Millisecond},
	} {
		got, err := limit.ParseRate(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got)
		assert.Equal(t, text, got.String())
	}
	for _, text := range []string{"", "100", "/min", "x/min", "100/", "100/minute", "0/s", "-1/s", "1/-3s", "1/10us", "1.5/s"} {
		_, err := limit.ParseRate(text)
		require.ErrorContains(t, err, "limit: invalid rate", text)
	}
}
