package embedded_test

import (
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque/embedded"
)

func TestServerListensExpiresKeysAndCloses(t *testing.T) {
	t.Parallel()
	s, err := embedded.Start("")
	require.NoError(t, err)
	defer s.Close()
	assert.Regexp(t, `^127\.0\.0\.1:\d+$`, s.Addr(), "loopback only")
	assert.Equal(t, "redis://"+s.Addr(), s.URL())

	c, err := redis.DialURL(s.URL())
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Do("SET", "key", "value", "PX", 300)
	require.NoError(t, err)
	assert.EventuallyWithT(t, func(t *assert.CollectT) {
		n, err := redis.Int(c.Do("EXISTS", "key"))
		require.NoError(t, err)
		assert.Zero(t, n, "keys expire")
	}, time.Minute, 50*time.Millisecond)

	_, err = embedded.Start(s.Addr())
	require.ErrorContains(t, err, "starting the embedded Redis on "+s.Addr()+": ")

	s.Close()
	s.Close() // does nothing
	_, err = c.Do("PING")
	require.Error(t, err)
}
