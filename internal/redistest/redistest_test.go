package redistest_test

import (
	"cmp"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

func TestServersAreEmptyAndSeparate(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		assert.Equal(t, s.Real, s.PID > 0)
		other := redistest.Start(t)
		_, err := s.Conn(t).Do("SET", "a", "b")
		require.NoError(t, err)
		n, err := redis.Int(other.Conn(t).Do("DBSIZE"))
		require.NoError(t, err)
		assert.Zero(t, n)
		require.NoError(t, s.Client(t).Redis().Ping(t.Context()))
	})
}

func TestMonitorSeesEveryWord(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	words := []string{`a"b`, `c\d`, `e\'f`, "'g'", "h\ni\r\t\a\b", "\x00\x7f\xff", "é", "", "[0 lua]"}
	c := s.Conn(t)
	stop := s.Monitor(t)
	_, err := c.Do("RPUSH", redis.Args{}.Add("key").AddFlat(words)...)
	require.NoError(t, err)
	_, err = c.Do("EVAL", "return redis.call('DEL', KEYS[1])", 1, "key")
	require.NoError(t, err)
	got := stop()
	require.Len(t, got, 3)
	assert.Equal(t, append([]string{"rpush", "key"}, words...), got[0])
	assert.Equal(t, []string{"del", "key"}, got[2], "also the commands of scripts")
}

func TestSilence(t *testing.T) {
	t.Parallel()
	p := redistest.StartEmbedded(t).Proxy(t)
	open := func() redis.Conn {
		c, err := redis.DialURLContext(t.Context(), p.URL)
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	before := open()
	_, err := before.Do("PING")
	require.NoError(t, err)
	end := p.Silence()
	during := open() // accepted, but never answered
	for _, c := range []redis.Conn{before, during} {
		_, err := redis.DoWithTimeout(c, 50*time.Millisecond, "PING")
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	}
	end()
	_, err = open().Do("PING")
	require.NoError(t, err)
}

func TestHoldCommands(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		p := s.Proxy(t)
		open := func() redis.Conn {
			c, err := redis.DialURLContext(t.Context(), p.URL)
			require.NoError(t, err)
			t.Cleanup(func() { _ = c.Close() })
			return c
		}
		release := p.HoldCommands("second")
		defer release()
		held, other := open(), open()
		done := make(chan error, 1)
		go func() {
			_, err := held.Do("SET", "b", strings.Repeat("x", 4090)+"second") // redigo writes it in two parts
			done <- err
		}()
		for _, value := range []string{"first", "third"} {
			_, err := other.Do("SET", "a", value)
			require.NoError(t, err, "others are not held")
		}
		n, err := redis.Int(other.Do("EXISTS", "b"))
		require.NoError(t, err)
		assert.Zero(t, n)
		release()
		require.NoError(t, <-done)
		n, err = redis.Int(other.Do("EXISTS", "b"))
		require.NoError(t, err)
		assert.Equal(t, 1, n)
	})
}

func TestRequire(t *testing.T) {
	t.Setenv("GORESQUE_REQUIRE", "node,a")
	for _, c := range []struct {
		tool string
		have bool
		want string
	}{{"a", true, ""}, {"a", false, "fatal"}, {"b", true, ""}, {"b", false, "skip"}} {
		v := &verdict{TB: t}
		redistest.Require(v, c.tool, c.have)
		assert.Equal(t, c.want, v.call, c)
	}
}

// verdict records whether Require fails or skips the test. It does not end it, so
// the first call counts.
type verdict struct {
	testing.TB
	call string
}

func (v *verdict) Fatalf(string, ...any) { v.call = cmp.Or(v.call, "fatal") }
func (v *verdict) Skipf(string, ...any)  { v.call = cmp.Or(v.call, "skip") }
