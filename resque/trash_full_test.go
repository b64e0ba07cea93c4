package resque_test

import (
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// If the memory of Redis is full, entries are not moved, or can be restored: no entry
// is in a trash that is not listed.
func TestFullMemoryHidesNoRemovedEntries(t *testing.T) {
	t.Parallel()
	const failure = `{"failed_at":"2026/01/02 03:04:05 UTC","payload":{"class":"A","args":[1]},"exception":"E","error":"m","backtrace":[],"worker":"h:1:q","queue":"q"}`
	const retried = `{"failed_at":"2026/01/02 03:04:05 UTC","payload":{"class":"A","args":[2]},"exception":"E","error":"m","backtrace":[],"worker":"h:1:q","queue":"q","retried_at":"2026/01/02 03:05:05"}`
	how := resque.RemoveOptions{Keep: time.Hour}
	for name, remove := range map[string]func(t *testing.T, c *resque.Client) error{
		"all failures": func(t *testing.T, c *resque.Client) error {
			t.Helper()
			_, err := c.Failures().RemoveAll(t.Context(), how, resque.FailureFilter{All: true}, nil)
			return err
		},
		"matching failures": func(t *testing.T, c *resque.Client) error {
			t.Helper()
			_, err := c.Failures().RemoveAll(t.Context(), how, resque.FailureFilter{Class: "A"}, nil)
			return err
		},
		"retried failures": func(t *testing.T, c *resque.Client) error {
			t.Helper()
			_, err := c.Failures().RemoveAll(t.Context(), how, resque.FailureFilter{Requeued: resque.OnlyRequeued}, nil)
			return err
		},
		"a failure": func(t *testing.T, c *resque.Client) error {
			t.Helper()
			page, err := c.Failures().Page(t.Context(), "", 0, 1)
			require.NoError(t, err)
			_, err = c.Failures().Remove(t.Context(), how, page[0].ID)
			return err
		},
		"all jobs of a queue": func(t *testing.T, c *resque.Client) error {
			t.Helper()
			_, err := c.Queue("q").Clear(t.Context(), how)
			return err
		},
		"matching jobs": func(t *testing.T, c *resque.Client) error {
			t.Helper()
			_, err := c.Queue("q").RemoveMatching(t.Context(), how, func(resque.QueuedJob) bool { return true }, nil)
			return err
		},
		"a job": func(t *testing.T, c *resque.Client) error {
			t.Helper()
			jobs, _, err := c.Queue("q").Page(t.Context(), 0, 1)
			require.NoError(t, err)
			_, err = c.Queue("q").Remove(t.Context(), how, jobs[0].ID)
			return err
		},
		"delayed jobs": func(t *testing.T, c *resque.Client) error {
			t.Helper()
			_, err := c.Delayed().RemoveAll(t.Context(), how, resque.DelayedFilter{All: true}, nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t)
			conn, client := s.Conn(t), s.Client(t)
			do := func(words ...any) any {
				t.Helper()
				reply, err := conn.Do(words[0].(string), words[1:]...)
				require.NoError(t, err)
				return reply
			}
			do("RPUSH", "resque:failed", failure, retried)
			do("RPUSH", "resque:queue:q", `{"class":"A","args":[1]}`)
			do("RPUSH", "resque:delayed:4102444800", `{"class":"A","args":[1],"queue":"q"}`)
			do("ZADD", "resque:delayed_queue_schedule", 4102444800, 4102444800)
			lists := func() (n int64) {
				for _, key := range []string{"resque:failed", "resque:queue:q", "resque:delayed:4102444800"} {
					size, err := redis.Int64(do("LLEN", key), nil)
					require.NoError(t, err)
					n += size
				}
				return n
			}
			do("CONFIG", "SET", "maxmemory", 1)
			require.ErrorContains(t, remove(t, client), "OOM")
			do("CONFIG", "SET", "maxmemory", 0)
			trashes, err := client.Trash(t.Context())
			require.NoError(t, err)
			kept := lists()
			for _, trash := range trashes {
				kept += trash.Entries
			}
			assert.EqualValues(t, 4, kept, "entries in their lists and in trashes that are listed")
			require.NoError(t, remove(t, client), "it works when there is memory again")
			trashes, err = client.Trash(t.Context())
			require.NoError(t, err)
			require.Len(t, trashes, 1)
			assert.EqualValues(t, 4, lists()+trashes[0].Entries)
		})
	}
}

// A removal that finds nothing leaves no trash in the index.
func TestRemovalOfNothingLeavesNoTrash(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	conn, c, how := s.Conn(t), s.Client(t), resque.RemoveOptions{Keep: time.Hour}
	_, err := conn.Do("RPUSH", "resque:queue:q", `{"class":"A","args":[1]}`)
	require.NoError(t, err)
	_, err = conn.Do("RPUSH", "resque:failed", `{"failed_at":"2026/01/02 03:04:05 UTC","payload":{"class":"A","args":[1]},"exception":"E","error":"m","backtrace":[],"worker":"h:1:q","queue":"q"}`)
	require.NoError(t, err)
	_, err = c.Failures().RemoveAll(t.Context(), how, resque.FailureFilter{Requeued: resque.OnlyRequeued}, nil)
	require.NoError(t, err)
	_, err = c.Queue("empty").Clear(t.Context(), how)
	require.NoError(t, err)
	_, err = c.Queue("q").RemoveMatching(t.Context(), how, func(resque.QueuedJob) bool { return false }, nil)
	require.NoError(t, err)
	left, err := redis.Strings(conn.Do("KEYS", "resque:goresque:trash*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}
