package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
)

// call is a method of Ruby's Resque and its arguments.
type call []any

// schedule calls methods of resque-scheduler in one Ruby process and returns their
// results.
func schedule(t *testing.T, server *redistest.Server, calls ...call) []json.RawMessage {
	t.Helper()
	var input strings.Builder
	for _, c := range calls {
		line, err := rubyjson.Append(nil, []any(c)) // 1.0 must be a Float in Ruby
		require.NoError(t, err)
		input.Write(append(line, '\n'))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // the machine may be busy
	defer cancel()
	cmd := exec.CommandContext(ctx, "ruby", filepath.Join("testdata", "delayed.rb"))
	cmd.Env = append(cmd.Environ(), "REDIS_URL="+server.URL)
	cmd.Stdin = strings.NewReader(input.String())
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	require.NoError(t, err, "%s", &errors)
	results := reply[[]json.RawMessage](t, string(out))
	require.Len(t, results, len(calls))
	return results
}

func results(t *testing.T, raw []json.RawMessage) (texts []string) {
	t.Helper()
	for _, r := range raw {
		texts = append(texts, string(r))
	}
	return texts
}

// hard are arguments whose JSON is easily spelled in another way.
func hard() []any {
	return []any{1, 1.0, 1e20, "naïve <b> \u2028 \"q\"", nil, true, []any{}, map[string]any{"a": map[string]any{"b": 2.5}}}
}

// Ruby sees, finds and cancels what Go has delayed.
func TestRubyFindsWhatGoDelayed(t *testing.T) {
	t.Parallel()
	server := startForSchedulers(t)
	client := server.Client(t)
	due := time.Now().Add(time.Hour).Truncate(time.Second)
	mail := resque.Job{Queue: "mail", Class: "Mail", Args: hard()}
	for _, job := range []resque.Job{
		mail.At(due), mail.At(due), mail.At(due.Add(time.Minute)), mail.To("slow").At(due),
		{Queue: "other", Class: "Elsewhere::Job", Args: []any{7}},
	} {
		if job.Class == "Elsewhere::Job" {
			job = job.At(due)
		}
		_, err := client.Enqueue(t.Context(), job)
		require.NoError(t, err)
	}
	args := append([]any{":Mail"}, hard()...)
	got := schedule(t, server,
		append(call{"scheduled_at"}, args...), append(call{"delayed?"}, args...),
		call{"count_all_scheduled_jobs"}, call{"delayed_queue_schedule_size"}, call{"delayed_timestamp_size", due.Unix()},
		append(call{"remove_delayed_in_queue", ":Mail", "slow"}, hard()...),
		append(call{"enqueue_delayed"}, args...), append(call{"delayed?"}, args...),
		call{"count_all_scheduled_jobs"},
	)
	var at []int64
	require.NoError(t, json.Unmarshal(got[0], &at))
	assert.ElementsMatch(t, []int64{due.Unix(), due.Unix() + 60}, at)
	assert.Equal(t, []string{"true", "5", "2", "4", "1", "3", "false", "1"}, results(t, got[1:]))
	payload, err := mail.Encode()
	require.NoError(t, err)
	assert.Equal(t, []string{string(payload), string(payload), string(payload)}, list(t, server, "resque:queue:mail"))

	got = schedule(t, server, call{"find_delayed_selection"}, call{"reset_delayed_queue"})
	assert.JSONEq(t, `["{\"class\":\"Elsewhere::Job\",\"args\":[7],\"queue\":\"other\"}"]`, string(got[0]))
	keys, err := redis.Strings(server.Conn(t).Do("KEYS", "*delayed*"))
	require.NoError(t, err)
	assert.Empty(t, keys)
	keys, err = redis.Strings(server.Conn(t).Do("KEYS", "*timestamps*"))
	require.NoError(t, err)
	assert.Empty(t, keys)
}

// Go sees, finds, runs and cancels what Ruby has delayed.
func TestGoFindsWhatRubyDelayed(t *testing.T) {
	t.Parallel()
	server := startForSchedulers(t)
	client := server.Client(t)
	due := time.Now().Add(time.Hour).Truncate(time.Second)
	at := func(seconds int64, queue string, args ...any) call {
		return append(call{"enqueue_at_with_queue", queue, due.Unix() + seconds, ":Mail"}, args...)
	}
	schedule(t, server, at(0, "mail", hard()...), at(60, "mail", hard()...), at(60, "slow", hard()...), at(60, "mail", 2), at(0, "mail", 3))
	mail := resque.Job{Queue: "mail", Class: "Mail", Args: hard()}
	times, err := client.ScheduledAt(t.Context(), mail)
	require.NoError(t, err)
	assert.Equal(t, []time.Time{due.UTC(), due.Add(time.Minute).UTC()}, times)
	n, err := client.Delayed().Count(t.Context(), resque.DelayedFilter{Class: "Mail", Args: hard()})
	require.NoError(t, err)
	assert.EqualValues(t, 3, n)

	n, err = client.RemoveDelayed(t.Context(), mail)
	require.NoError(t, err)
	assert.EqualValues(t, 2, n)
	p, err := client.Delayed().RunAll(t.Context(), resque.DelayedFilter{Queue: "slow"}, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 1, p.Done)
	payload, err := mail.Encode()
	require.NoError(t, err)
	assert.Equal(t, []string{string(payload)}, list(t, server, "resque:queue:slow"))
	n, err = client.DelayOrEnqueueAt(t.Context(), due.Add(time.Hour), resque.Job{Queue: "mail", Class: "Mail", Args: []any{2}})
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
	p, err = client.Delayed().RemoveAll(t.Context(), resque.RemoveOptions{}, resque.DelayedFilter{Args: []any{3}}, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 1, p.Done)

	got := schedule(t, server, call{"scheduled_at", ":Mail", 2}, call{"count_all_scheduled_jobs"}, call{"delayed?", ":Mail", 3})
	assert.JSONEq(t, fmt.Sprintf("[%d]", due.Unix()+3600), string(got[0]))
	assert.Equal(t, []string{"1", "false"}, results(t, got[1:]))
}
