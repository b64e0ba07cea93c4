package web_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/web"
)

// If the Redis user has no right to read, every page and every probe says so.
func TestMissingReadRightIsReported(t *testing.T) {
	t.Parallel()
	s := openOn(t, redistest.StartReal(t), web.Config{})
	s.failures(3)
	s.do("ACL", "SETUSER", "blind", "on", "nopass", "~*", "-@all", "+ping", "+auth", "+select", "+hello")
	pool := &redis.Pool{Dial: func() (redis.Conn, error) {
		return redis.DialURL(s.server.URL, redis.DialUsername("blind"), redis.DialPassword("x"))
	}}
	t.Cleanup(func() { _ = pool.Close() })
	client, err := resque.New(resque.FromPool(pool, ""), resque.Config{})
	require.NoError(t, err)
	dashboard, err := web.New(client, web.Config{Auth: web.AllowEveryone()})
	require.NoError(t, err)
	for _, path := range []string{"/overview", "/failed", "/queues", "/workers", "/stats"} {
		a := ask(t, dashboard, http.MethodGet, path, "")
		require.Equal(t, http.StatusInternalServerError, a.Code, "%s: waiting does not help", path)
		present(t, a.Body.String(), "The Redis user lacks a right", "%s", path)
		absent(t, a.Body.String(), "No failures.", "%s", path)
	}
	told := ask(t, dashboard, http.MethodGet, "/failed.json", "").told(t)
	assert.Equal(t, "redis-refused", told["code"])
	assert.Equal(t, http.StatusServiceUnavailable, ask(t, dashboard, http.MethodGet, "/healthz", "").Code)
	assert.Contains(t, ask(t, dashboard, http.MethodGet, "/metrics", "").Body.String(), "resque_up 0")
}

// A key of another type hides only itself, and every page names it.
func TestKeysOfAnotherTypeAreNamed(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, server *redistest.Server) {
		s := openOn(t, server, web.Config{})
		s.do("SET", "resque:failed", "text")
		s.do("SADD", "resque:queues", "zset", "sound")
		s.do("ZADD", "resque:queue:zset", 1, "x")
		s.do("RPUSH", "resque:queue:sound", `{"class":"Sound","args":[]}`)
		for _, path := range []string{"/overview", "/failed", "/queues", "/queues/zset", "/queues/sound"} {
			a := s.get(path)
			require.Equal(t, http.StatusOK, a.Code, path)
			present(t, text(t, a.Body.String()), `the key "resque:failed" does not have Resque's type`, "%s", path)
			present(t, text(t, a.Body.String()), `the key "resque:queue:zset" does not have Resque's type`, "%s", path)
			absent(t, a.Body.String(), "No failures.", "%s", path)
		}
		present(t, s.get("/queues/sound").Body.String(), "Sound", "the other queue")
		metrics := s.get("/metrics").Body.String()
		assert.Contains(t, metrics, `resque_queue_size{queue="sound"} 1`)
		assert.NotContains(t, metrics, `queue="zset"`)
		assert.NotContains(t, metrics, `resque_failures{list="failed"}`)
	})
}

// A queue's name that is not UTF-8 is escaped, so that the scrape stays valid.
func TestMetricsAreUTF8(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("SADD", "resque:queues", "a\xffb")
	assert.Contains(t, s.get("/metrics").Body.String(), `resque_queue_size{queue="a\\xffb"} 0`)
}

func TestNamesThatEndInPoll(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("SADD", "resque:queues", "q.poll")
	s.worker("host:1:q.poll", ago(0), "")
	for _, path := range []string{"/queues/q.poll", "/workers/host:1:q.poll"} {
		a := s.get(path)
		require.Equal(t, http.StatusOK, a.Code, path)
		assert.Contains(t, a.Body.String(), "<html", "%s is a whole page", path)
	}
	a := s.get("/workers/host:1:q.poll.poll")
	require.Equal(t, http.StatusOK, a.Code)
	assert.NotContains(t, a.Body.String(), "<html", "its refresh")
	assert.Equal(t, http.StatusNotFound, s.get("/workers/host:2:q.poll").Code)
}

// The rights of docs/operations.md for a dashboard that only reads are enough.
func TestADashboardThatOnlyReadsNeedsFewRights(t *testing.T) {
	t.Parallel()
	s := openOn(t, redistest.StartReal(t), web.Config{})
	s.fill()
	document, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	_, rights, ok := strings.Cut(string(document), "ACL SETUSER viewer on >PASSWORD ")
	require.True(t, ok)
	rights, _, _ = strings.Cut(rights, "\n")
	words := []any{"ACL", "SETUSER", "viewer", "on", ">x"}
	for _, word := range strings.Fields(rights) {
		words = append(words, word)
	}
	s.do(words...)
	pool := &redis.Pool{Dial: func() (redis.Conn, error) {
		return redis.DialURL(s.server.URL, redis.DialUsername("viewer"), redis.DialPassword("x"))
	}}
	t.Cleanup(func() { _ = pool.Close() })
	client, err := resque.New(resque.FromPool(pool, ""), resque.Config{})
	require.NoError(t, err)
	dashboard, err := web.New(client, web.Config{Auth: web.AllowEveryone()})
	require.NoError(t, err)
	for _, path := range append(pagePaths, "/metrics", "/healthz", "/stats.txt") {
		if a := ask(t, dashboard, http.MethodGet, path, ""); a.Code != http.StatusOK {
			assert.NotContains(t, a.Body.String(), "lacks a right", path)
		}
	}
	assert.Contains(t, ask(t, dashboard, http.MethodGet, "/metrics", "").Body.String(), "resque_up 1")
}
