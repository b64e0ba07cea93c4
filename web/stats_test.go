package web_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/web"
)

// The bytes are Ruby's, except for the order of the queues. In Ruby it is that of the
// set in Redis.
func TestStatsText(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.jobs("mail", "a", "b")
	s.jobs("exports", "a")
	s.jobs("empty")
	s.do("SET", "resque:stat:processed", 125731)
	s.do("SET", "resque:stat:failed", 99) // Ruby shows the length of the list
	s.failures(3)
	s.worker("h:1:*", ago(0), working("mail", "A", "[]", 0))
	s.worker("h:2:*", ago(0), "")
	s.do("HSET", "resque:workers:heartbeat", "h:3:*", ago(time.Hour)) // not registered
	a := s.get("/stats.txt")
	assert.Equal(t, "text/plain; charset=utf-8", a.Header().Get("Content-Type"))
	assert.Equal(t, "resque.pending=3\nresque.processed+=125731\nresque.failed+=3\nresque.workers=2\nresque.working=1\n"+
		"queues.empty=0\nqueues.exports=1\nqueues.mail=2", a.Body.String())
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fill()
	s.do("HSET", "resque:delayed:last_enqueued_at", "nightly", "2026-01-15 12:34:56 +0000")
	a := s.get("/metrics")
	assert.Equal(t, "text/plain; version=0.0.4; charset=utf-8", a.Header().Get("Content-Type"))
	for _, line := range []string{
		"resque_up 1", `resque_queue_size{queue="exports"} 342`, `resque_queue_size{queue="low"} 0`, `resque_workers{state="working"} 8`,
		`resque_workers{state="stale"} 2`, `resque_failures{list="failed"} 315`, "resque_processed_total 1283402", "resque_failed_total 2917",
		"# TYPE resque_delayed_times gauge", "# TYPE resque_delayed_late_seconds gauge",
		"# TYPE resque_queue_size gauge", "# TYPE resque_processed_total counter",
		`resque_schedule_last_fired_seconds{name="nightly"} 1768480496`,
	} {
		assert.Contains(t, a.Body.String(), line+"\n")
	}
	assert.Regexp(t, `resque_queue_oldest_seconds\{queue="mailers"\} 19\d\n`, a.Body.String())
}

// Every page is available as JSON, with the same content.
func TestJSON(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fill()
	for _, path := range pagePaths {
		if strings.HasPrefix(path, "/failed/re") {
			continue // a question
		}
		a := s.get(path, "Accept: application/json")
		require.Equal(t, http.StatusOK, a.Code, path)
		assert.Equal(t, "application/json", a.Header().Get("Content-Type"), path)
		assert.NotEmpty(t, a.told(t), path)
	}
	for _, path := range []string{
		"/overview.json", "/queues.json", "/working.json", "/workers.json", "/failed.json?class=Exporter", "/stats.json", "/stats/resque.json",
		"/stats/redis.json", "/stats/keys.json", s.href("/failed", "failures/") + ".json",
	} {
		a := s.get(path)
		require.Equal(t, http.StatusOK, a.Code, path)
		assert.Equal(t, "application/json", a.Header().Get("Content-Type"), path)
		assert.True(t, json.Valid(a.Body.Bytes()), path)
	}
	a := s.get("/nothing.json")
	assert.Equal(t, http.StatusNotFound, a.Code)
	a = s.get("/nothing", "Accept: application/json")
	assert.Equal(t, "application/problem+json", a.Header().Get("Content-Type"))
	assert.EqualValues(t, 404, a.told(t)["status"])
	assert.Contains(t, s.get("/failed", "Accept: text/html,application/json").Header().Get("Content-Type"), "text/html", "browsers take both")
	assert.EqualValues(t, 1, s.post("/queues/exports/pause", "", "Accept: application/json").told(t)["done"])
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.jobs("exports", strings.Split(strings.Repeat("job,", 120)+"last", ",")...)
	s.do("SET", "other:secret", "not ours")
	s.do("SET", "resque:short", "x", "EX", 90)
	for i := range 300 {
		s.do("HSET", "resque:hash", i, "value")
		s.do("ZADD", "resque:zset", i, i)
	}
	s.do("XADD", "resque:stream", "*", "a", "b")
	list := s.get("/stats/keys").Body.String()
	for _, want := range []string{"queue:exports", ">short<", "1 min", ">hash<", "300", "121"} {
		present(t, list, want, "/stats/keys")
	}
	absent(t, list, "secret", "/stats/keys")
	assert.Equal(t, http.StatusNotFound, s.get("/stats/keys/secret").Code)
	seen := 0
	for path := "/stats/keys/queue:exports"; path != ""; {
		told := s.get(path, "Accept: application/json").told(t)
		seen += len(told["Key"].(map[string]any)["Values"].([]any))
		if path = ""; told["Next"] != "" {
			path = "/stats/keys/queue:exports" + told["Next"].(string)
		}
	}
	assert.Equal(t, 121, seen, "in parts")
	for _, key := range []string{"hash", "zset", "stream", "short"} {
		assert.Equal(t, http.StatusOK, s.get("/stats/keys/"+key).Code, key)
		assert.Equal(t, http.StatusOK, s.get("/stats/keys/"+key+"?from=zz").Code, key)
	}
	assert.Equal(t, http.StatusOK, s.get("/stats/keys?cursor=nonsense").Code)
}

func TestRedisThatEvicts(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	redistest.Require(t, "redis", s.server.Real) // the embedded server does not evict keys
	absent(t, s.get("/stats/redis").Body.String(), "may delete keys", "by default")
	s.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	present(t, s.get("/stats/redis").Body.String(), "allkeys-lru", "a warning")
}

func TestAssets(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	page := parse(t, s.get("/").Body.String())
	var raw, zipped int
	for _, e := range append(elements(page, "link"), elements(page, "script")...) {
		path := "/" + strings.TrimPrefix(attr(e, "href")+attr(e, "src"), "./")
		plain, small := s.get(path), s.get(path, "Accept-Encoding: gzip")
		require.Equal(t, http.StatusOK, plain.Code, path)
		assert.Equal(t, "public, max-age=31536000, immutable", plain.Header().Get("Cache-Control"))
		assert.Equal(t, "gzip", small.Header().Get("Content-Encoding"))
		for _, answer := range []http.Header{plain.Header(), small.Header()} {
			assert.Equal(t, "Accept-Encoding", answer.Get("Vary"), "a cache keeps them apart")
		}
		raw += plain.Body.Len()
		zipped += small.Body.Len()
		z, err := gzip.NewReader(small.Body)
		require.NoError(t, err)
		body, err := io.ReadAll(z)
		require.NoError(t, err)
		assert.Equal(t, plain.Body.String(), string(body))
	}
	t.Logf("assets: %d bytes, %d compressed", raw, zipped)
	assert.LessOrEqual(t, raw, 40<<10)
	assert.LessOrEqual(t, zipped, 12<<10)
}

func TestPagesAreCompressed(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fill()
	a := s.get("/failed", "Accept-Encoding: gzip, br")
	require.Equal(t, "gzip", a.Header().Get("Content-Encoding"))
	z, err := gzip.NewReader(a.Body)
	require.NoError(t, err)
	body, err := io.ReadAll(z)
	require.NoError(t, err)
	present(t, string(body), "</html>", "the whole page")
}
