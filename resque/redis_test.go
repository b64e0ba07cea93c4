package resque

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque/embedded"
)

func openEmbedded(t *testing.T) *Redis {
	t.Helper()
	s, err := embedded.Start("")
	require.NoError(t, err)
	t.Cleanup(s.Close)
	rdb, err := Open(RedisConfig{URL: s.URL()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rdb.Close()) })
	return rdb
}

// An idle connection is checked before it is used. Otherwise the first calls after a
// restart of Redis would fail, and callers would not know whether Redis executed them.
func TestIdleConnectionIsChecked(t *testing.T) {
	t.Parallel()
	rdb := openEmbedded(t)
	c, err := rdb.Conn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	test := func(lastUsed time.Duration) error {
		return rdb.pool.(*redis.Pool).TestOnBorrowContext(t.Context(), c, time.Now().Add(-lastUsed))
	}
	require.NoError(t, test(0))
	require.NoError(t, test(2*time.Second))
	_, err = c.Do("QUIT") // closes the connection, as a restart does
	require.NoError(t, err)
	require.NoError(t, test(0), "not asked")
	require.Error(t, test(2*time.Second))
}

func TestAskingHonoursTheContext(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close() // it accepts, and never answers
	rdb, err := Open(RedisConfig{URL: l.Addr().String(), ReadTimeout: time.Hour})
	require.NoError(t, err)
	c, err := rdb.Conn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.Error(t, rdb.pool.(*redis.Pool).TestOnBorrowContext(ctx, c, time.Time{}))
	require.Error(t, rdb.Ping(ctx))
}

func TestMaxOpen(t *testing.T) {
	t.Parallel()
	s, err := embedded.Start("")
	require.NoError(t, err)
	t.Cleanup(s.Close)
	rdb, err := Open(RedisConfig{URL: s.URL(), MaxOpen: 1})
	require.NoError(t, err)
	c, err := rdb.Conn(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = rdb.Conn(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded, "who wants another waits")
	require.NoError(t, c.Close())
	require.NoError(t, rdb.Ping(t.Context()))
	require.NoError(t, rdb.Close())
	require.ErrorContains(t, rdb.Ping(t.Context()), "connecting to Redis at "+s.URL())
}

func TestTLS(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	hello := make(chan byte, 2)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			first := make([]byte, 1)
			_, _ = c.Read(first)
			hello <- first[0]
			_ = c.Close()
		}
	}()
	const handshake = 22
	for _, cfg := range []RedisConfig{
		{URL: "rediss://" + l.Addr().String()},
		{URL: l.Addr().String(), TLS: &tls.Config{MinVersion: tls.VersionTLS12}},
	} {
		rdb, err := Open(cfg)
		require.NoError(t, err)
		require.Error(t, rdb.Ping(t.Context()))
		assert.Equal(t, byte(handshake), <-hello)
	}
}

func TestDatabase(t *testing.T) {
	t.Parallel()
	rdb := openEmbedded(t)
	other, err := Open(RedisConfig{URL: rdb.String() + "/3"})
	require.NoError(t, err)
	c, err := other.Conn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Do("SET", "a", "b")
	require.NoError(t, err)
	plain, err := rdb.Conn(t.Context())
	require.NoError(t, err)
	defer plain.Close()
	_, err = redis.String(plain.Do("GET", "a"))
	require.ErrorIs(t, err, redis.ErrNil)
	_, err = plain.Do("SELECT", 3)
	require.NoError(t, err)
	value, err := redis.String(plain.Do("GET", "a"))
	require.NoError(t, err)
	assert.Equal(t, "b", value)
}
