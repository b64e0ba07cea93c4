package resque_test

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

var exported = resque.Job{Queue: "exports", Class: "Exporter", Args: []any{1}} //nolint:gochecknoglobals // never changed

func clientOf(t *testing.T, url string) *resque.Client {
	t.Helper()
	return (&redistest.Server{URL: url}).Client(t)
}

func TestEnqueueWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	addr := net.JoinHostPort("127.0.0.1", redistest.FreePort(t))
	receipt, err := clientOf(t, "redis://:s3cret@"+addr).Enqueue(t.Context(), exported)
	require.EqualError(t, err, `resque: enqueueing Exporter: pushing to queue "exports": `+
		"connecting to Redis at redis://:xxxxx@"+addr+": dial tcp "+addr+": connect: connection refused")
	assert.False(t, receipt.Enqueued())
	assert.NotErrorIs(t, err, resque.ErrMaybeQueued)
}

func TestEnqueueWithTheWrongPassword(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t, "--requirepass", "right")
	for _, c := range []struct{ login, says string }{
		{"", "NOAUTH Authentication required"}, {":s3cret@", "WRONGPASS"},
	} {
		_, err := clientOf(t, "redis://"+c.login+s.URL[len("redis://"):]).Enqueue(t.Context(), exported)
		require.ErrorContains(t, err, c.says)
		require.NotErrorIs(t, err, resque.ErrMaybeQueued)
		assert.NotContains(t, err.Error(), "s3cret")
	}
	for _, login := range []string{":right@", "right@", "default:right@"} {
		receipt, err := clientOf(t, "redis://"+login+s.URL[len("redis://"):]).Enqueue(t.Context(), exported)
		require.NoError(t, err)
		assert.True(t, receipt.Enqueued())
	}
}

func TestEnqueueWhoseReplyIsLost(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		proxy := s.Proxy(t)
		client := clientOf(t, proxy.URL)
		proxy.Cut()
		receipt, err := client.Enqueue(t.Context(), exported)
		require.ErrorIs(t, err, resque.ErrMaybeQueued)
		assert.False(t, receipt.Enqueued())
		assert.Equal(t, []any{`{"class":"Exporter","args":[1]}`}, golden.Dump(t, s.Conn(t))["resque:queue:exports"].Value)

		receipt, err = client.Enqueue(t.Context(), exported)
		require.NoError(t, err, "the broken connection is not used again")
		assert.True(t, receipt.Enqueued())
	})
}

func TestEnqueueThatRedisRefuses(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	client := s.Client(t)
	c := s.Conn(t)
	refused := func(t *testing.T, want string) {
		t.Helper()
		receipt, err := client.Enqueue(t.Context(), exported)
		require.ErrorContains(t, err, want)
		require.NotErrorIs(t, err, resque.ErrMaybeQueued)
		assert.False(t, receipt.Enqueued())
	}
	_, err := c.Do("CONFIG", "SET", "maxmemory", 1)
	require.NoError(t, err)
	refused(t, "OOM command not allowed")
	_, err = c.Do("CONFIG", "SET", "maxmemory", 0)
	require.NoError(t, err)
	assert.Empty(t, golden.Dump(t, c))

	_, err = c.Do("SET", "resque:queue:exports", "x")
	require.NoError(t, err)
	refused(t, "WRONGTYPE")
	_, err = c.Do("REPLICAOF", "127.0.0.1", redistest.FreePort(t))
	require.NoError(t, err)
	refused(t, "READONLY")
}

// The job is queued although Redis refused half of the pipeline. If the error said that it
// is not queued, the caller would enqueue it a second time.
func TestEnqueueThatRedisRefusesByHalf(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		c := s.Conn(t)
		_, err := c.Do("SET", "resque:queues", "x")
		require.NoError(t, err)
		receipt, err := s.Client(t).Enqueue(t.Context(), exported)
		require.ErrorIs(t, err, resque.ErrMaybeQueued)
		require.ErrorContains(t, err, "the job is in the queue, but the queue is not known: WRONGTYPE")
		assert.False(t, receipt.Enqueued())
		n, err := redis.Int(c.Do("LLEN", "resque:queue:exports"))
		require.NoError(t, err)
		assert.EqualValues(t, 1, n)
	})
}

func TestEnqueueHonoursTheContext(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client := s.Client(t)
		require.NoError(t, client.Redis().Ping(t.Context())) // there is a connection to use
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		expired, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
		defer cancel()
		for _, ctx := range []context.Context{ended, expired} {
			receipt, err := client.Enqueue(ctx, exported)
			require.ErrorIs(t, err, ctx.Err())
			require.NotErrorIs(t, err, resque.ErrMaybeQueued, "nothing was sent")
			assert.False(t, receipt.Enqueued())
		}
		assert.Empty(t, golden.Dump(t, s.Conn(t)))
	})
}

func TestEnqueueDoesNotOutlastItsDeadline(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		proxy := s.Proxy(t)
		client, err := resque.New((&redistest.Server{URL: proxy.URL}).OpenWithin(t, time.Hour), resque.Config{})
		require.NoError(t, err)
		release := proxy.Hold()
		var receipt resque.Receipt
		for limit := 50 * time.Millisecond; ; limit *= 2 { // on a busy machine it may be over before the job is sent
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			receipt, err = client.Enqueue(ctx, exported)
			require.Error(t, err)
			assert.False(t, receipt.Enqueued())
			if errors.Is(err, resque.ErrMaybeQueued) {
				break
			}
		}
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)

		release() // now the late reply must not be taken for another's
		require.NoError(t, client.Redis().Ping(t.Context()))
		receipt, err = client.Enqueue(t.Context(), exported)
		require.NoError(t, err)
		assert.True(t, receipt.Enqueued())
	})
}
