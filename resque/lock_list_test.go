package resque_test

import (
	"context"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// Ruby's plugins take the lock of a job before they push the job. The lock seems to have no
// job in between, and must stay.
func TestLocksOfJobsThatRubyPushesStay(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		ctx, c, locks := t.Context(), s.Conn(t), s.Client(t).Locks()
		do := func(command string, args ...any) {
			_, err := c.Do(command, args...)
			assert.NoError(t, err)
		}
		for _, key := range []string{"resque:lock:J-[1]", "resque:lock:Gone-[1]", "resque:lock:Gone-[2]"} {
			do("SET", key, "4102444800")
		}
		rests := 0
		locks.SetRest(func(_ context.Context, d time.Duration) bool {
			rests++
			assert.Equal(t, 5*time.Second, d)
			do("SADD", "resque:queues", "work")
			do("RPUSH", "resque:queue:work", `{"class":"J","args":[1]}`)
			return true
		})
		released, err := locks.ReleaseUnheld(ctx, resque.LockListOptions{})
		require.NoError(t, err)
		assert.Len(t, released, 2)
		left, err := redis.Strings(c.Do("KEYS", "resque:lock:*"))
		require.NoError(t, err)
		assert.Equal(t, []string{"resque:lock:J-[1]"}, left)
		assert.Equal(t, 1, rests)

		released, err = locks.ReleaseUnheld(ctx, resque.LockListOptions{})
		require.NoError(t, err)
		assert.Empty(t, released)
		assert.Equal(t, 1, rests, "there is nothing to release")
	})
}

// The end of its context ends the wait of ReleaseUnheld, which then releases nothing.
func TestReleaseUnheldEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c, locks := s.Conn(t), s.Client(t).Locks()
	_, err := c.Do("SET", "resque:lock:J-[1]", "4102444800")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	locks.SetRest(func(ctx context.Context, _ time.Duration) bool {
		cancel()
		return backoff.Sleep(ctx, time.Hour)
	})
	_, err = locks.ReleaseUnheld(ctx, resque.LockListOptions{})
	require.ErrorIs(t, err, context.Canceled)
	left, err := redis.Int(c.Do("EXISTS", "resque:lock:J-[1]"))
	require.NoError(t, err)
	assert.Equal(t, 1, left)
}
