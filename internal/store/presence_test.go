package store_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
)

func TestPresenceEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.StartReal(t))
	present := func(process string) []string {
		t.Helper()
		tokens, ok, err := f.Present(t.Context(), process)
		require.NoError(t, err)
		require.True(t, ok)
		return tokens
	}
	assert.Empty(t, present("h~go:1"))
	first, err := f.Announce(t.Context(), "h~go:1", "token1")
	require.NoError(t, err)
	second, err := f.Announce(t.Context(), "h~go:1", "token2")
	require.NoError(t, err)
	other, err := f.Announce(t.Context(), "h é\n~go:12", "token3")
	require.NoError(t, err)
	defer other.Close()
	assert.ElementsMatch(t, []string{"token1", "token2"}, present("h~go:1"))
	assert.Equal(t, []string{"token3"}, present("h é\n~go:12"))
	require.NoError(t, first.Check())

	first.Close()
	assert.Equal(t, []string{"token2"}, present("h~go:1"), "the pool keeps the connection, but not the name")
	f.do(t, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	require.Error(t, second.Check())
	second.Close()
}

func TestPresenceIsUnknownWithoutClientList(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.StartReal(t))
	f.do(t, "ACL", "SETUSER", "default", "-client|list")
	tokens, ok, err := f.Present(t.Context(), "h~go:1")
	require.NoError(t, err)
	assert.False(t, ok)
	assert.Empty(t, tokens)
}

func TestWatchSeesEachChange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		change  []any
		renamed bool
	}{
		{"a job", []any{"RPUSH", "resque:queue:b", "x"}, false},
		{"a pause ends", []any{"DEL", "resque:pause-all-workers"}, false},
		{"one queue is paused", []any{"SET", "resque:pause:queue:a", "1"}, false},
		{"every queue is paused", []any{"SET", "resque:pause:all", "1"}, false},
		{"a new queue", []any{"SADD", "resque:queues", "c"}, true},
		{"everything is removed", []any{"FLUSHALL"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, redistest.StartReal(t))
			f.do(t, "SET", "resque:pause-all-workers", "true")
			w, err := f.NewWatch(t.Context())
			require.NoError(t, err)
			defer w.Close()
			require.NoError(t, w.Arm([]string{"a", "b"}, true))
			require.NoError(t, w.Ping())
			f.do(t, "SET", "resque:other", "x")
			f.do(t, c.change[0].(string), c.change[1:]...)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			renamed, err := w.Wait(ctx)
			require.NoError(t, err)
			assert.Equal(t, c.renamed, renamed)
		})
	}
	t.Run("can be pinged while it arms", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, redistest.StartReal(t))
		w, err := f.NewWatch(t.Context())
		require.NoError(t, err)
		defer w.Close()
		var pings sync.WaitGroup
		pings.Go(func() {
			for range 300 {
				assert.NoError(t, w.Ping())
			}
		})
		for range 300 {
			require.NoError(t, w.Arm([]string{"a", "b"}, true))
		}
		pings.Wait()
	})
	t.Run("sees the last of thousands of queues", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, redistest.StartReal(t))
		w, err := f.NewWatch(t.Context())
		require.NoError(t, err)
		defer w.Close()
		queues := names("q%05d", 6000)
		require.NoError(t, w.Arm(queues, false))
		f.do(t, "RPUSH", "resque:queue:"+queues[5999], "x")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		renamed, err := w.Wait(ctx)
		require.NoError(t, err)
		assert.False(t, renamed)
	})
	t.Run("ends with its context", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, redistest.StartReal(t))
		w, err := f.NewWatch(t.Context())
		require.NoError(t, err)
		defer w.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err = w.Wait(ctx)
		require.Error(t, err)
		require.NoError(t, f.Ping(t.Context()))
	})
	t.Run("outlasts the read timeout of its connections", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, redistest.StartReal(t))
		timeout := 100 * time.Millisecond
		var w *store.Watch
		for { // on a busy machine the timeout may be over before the watch is ready
			timeout *= 2
			var err error
			if w, err = store.New(f.server.OpenWithin(t, timeout)).NewWatch(t.Context()); err == nil {
				defer w.Close()
				err = w.Arm([]string{"a"}, true)
			}
			if err == nil {
				break
			}
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		}
		pushed := make(chan struct{})
		go func() {
			defer close(pushed)
			for range 2 { // longer than the read timeout of the watch's connections
				c, err := f.server.Open(t).Conn(t.Context())
				if assert.NoError(t, err) {
					_, err = redis.DoWithTimeout(c, timeout, "BLPOP", "nothing", 0)
					assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
				}
			}
			f.do(t, "RPUSH", "resque:queue:a", "x")
		}()
		_, err := w.Wait(t.Context())
		require.NoError(t, err)
		<-pushed
	})
	t.Run("is refused by a server without tracking", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, redistest.StartEmbedded(t))
		_, err := f.NewWatch(t.Context())
		require.ErrorContains(t, err, "tracking keys")
	})
}

// The pool keeps the connections of a closed watch. They must not receive messages when
// they are used again.
func TestClosingAWatchStopsTrackingOnItsConnections(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.StartReal(t))
	flags := func() string {
		list, err := redis.String(f.do(t, "CLIENT", "LIST"), nil)
		require.NoError(t, err)
		var all []string
		for _, word := range strings.Fields(list) {
			if flag, ok := strings.CutPrefix(word, "flags="); ok {
				all = append(all, flag)
			}
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	w, err := f.NewWatch(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "N P t", flags())
	w.Close()
	assert.Equal(t, "N N N", flags())
}

func TestAwaitJobFindsAJobAndLeavesIt(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		found, err := f.AwaitJob(t.Context(), "q", 50*time.Millisecond)
		require.NoError(t, err)
		assert.False(t, found)
		f.push(t, "q", "a", "b")
		found, err = f.AwaitJob(t.Context(), "q", time.Second)
		require.NoError(t, err)
		assert.True(t, found)
		assert.Equal(t, []string{"a", "b"}, f.list(t, "resque:queue:q"), "the queue is unchanged")
	})
}
