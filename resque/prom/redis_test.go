package prom_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/prom"
	"github.com/goresque/goresque/web"
)

// fill writes queues, failures, counters and workers of all states to Redis.
func fill(t *testing.T, s *redistest.Server) {
	t.Helper()
	c := s.Conn(t)
	now := time.Now().UTC()
	for _, command := range [][]any{
		{"SADD", "resque:queues", "exports", "empty", "odd\"\\\n", "\xff", "\"\\xff\""},
		{"RPUSH", "resque:queue:exports", `{"class":"A","args":[],"enqueued_at":"` + now.Add(-90*time.Second).Format(time.RFC3339) + `"}`, `{"class":"B"}`},
		{"RPUSH", "resque:queue:\xff", `nonsense`},
		{"ZADD", "resque:delayed_queue_schedule", now.Add(-90 * time.Second).Unix(), now.Add(-90 * time.Second).Unix(), now.Add(time.Hour).Unix(), now.Add(time.Hour).Unix()},
		{"RPUSH", "resque:failed", `{}`, `{}`},
		{"SADD", "resque:failed_queues", "exports_failed"},
		{"RPUSH", "resque:exports_failed", `{}`},
		{"MSET", "resque:stat:processed", 7, "resque:stat:failed", 3},
		{"HSET", "resque:delayed:last_enqueued_at", "nightly", "2026-01-15 12:34:56 +0000", "odd", "nonsense"},
		{"SADD", "resque:workers", "a:1:exports", "b:1:exports", "c:1:exports", "d:1:exports", "e:1:exports"},
		{"SET", "resque:worker:a:1:exports", `{"queue":"exports","run_at":"2026-01-15T12:00:00Z","payload":{"class":"A","args":[]}}`},
		{"SET", "resque:worker:c:1:exports", `{"queue":"exports","run_at":"2026-01-15T12:00:00Z","payload":{"class":"A","args":[]}}`},
		{
			"HSET", "resque:workers:heartbeat", "a:1:exports", now.Format(time.RFC3339), "b:1:exports", now.Format(time.RFC3339),
			"c:1:exports", now.Add(-time.Hour).Format(time.RFC3339), "e:1:exports", now.Format(time.RFC3339), "gone:1:exports", "2026-01-01T00:00:00Z",
		},
	} {
		_, err := c.Do(command[0].(string), command[1:]...)
		require.NoError(t, err)
	}
}

func registry(t *testing.T, collectors ...prometheus.Collector) *prometheus.Registry {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	for _, c := range collectors {
		require.NoError(t, r.Register(c))
	}
	return r
}

// scraped returns what Prometheus gets, by the names of the metrics.
func scraped(t *testing.T, r *prometheus.Registry) (status int, families map[string]*dto.MetricFamily) {
	t.Helper()
	response := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	return response.Code, parsed(t, response.Body.String())
}

func parsed(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	var parser expfmt.TextParser
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	require.NoError(t, err)
	return families
}

func TestRedisMetrics(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		fill(t, s)
		r := registry(t, prom.NewRedis(s.Client(t), prom.RedisConfig{}))
		assert.NoError(t, testutil.GatherAndCompare(r, strings.NewReader(`
# HELP resque_delayed_times Number of different seconds that have delayed jobs.
# TYPE resque_delayed_times gauge
resque_delayed_times 2
# HELP resque_failed_total Jobs that failed.
# TYPE resque_failed_total counter
resque_failed_total 3
# HELP resque_failures Failures in a list.
# TYPE resque_failures gauge
resque_failures{list="exports_failed"} 1
resque_failures{list="failed"} 2
# HELP resque_processed_total Jobs that ended.
# TYPE resque_processed_total counter
resque_processed_total 7
# HELP resque_queue_size Jobs waiting in a queue.
# TYPE resque_queue_size gauge
resque_queue_size{queue="\"\\xff\""} 1
resque_queue_size{queue="\"\\\"\\\\xff\\\"\""} 0
resque_queue_size{queue="empty"} 0
resque_queue_size{queue="exports"} 2
resque_queue_size{queue="odd\"\\\n"} 0
# HELP resque_schedule_last_fired_seconds When a recurring job was last enqueued, in Unix seconds.
# TYPE resque_schedule_last_fired_seconds gauge
resque_schedule_last_fired_seconds{name="nightly"} 1.768480496e+09
# HELP resque_up Whether Redis answers.
# TYPE resque_up gauge
resque_up 1
# HELP resque_workers Workers by state.
# TYPE resque_workers gauge
resque_workers{state="idle"} 2
resque_workers{state="silent"} 1
resque_workers{state="stale"} 2
resque_workers{state="working"} 1
`), "resque_delayed_times", "resque_failed_total", "resque_failures", "resque_processed_total", "resque_queue_size",
			"resque_schedule_last_fired_seconds", "resque_up", "resque_workers"))
		_, families := scraped(t, r)
		late := families["resque_delayed_late_seconds"].GetMetric()
		require.Len(t, late, 1)
		assert.InDelta(t, 90, late[0].GetGauge().GetValue(), 60)
		oldest := families["resque_queue_oldest_seconds"].GetMetric()
		require.Len(t, oldest, 1, "only one queue's next payload has a time")
		assert.InDelta(t, 90, oldest[0].GetGauge().GetValue(), 60)
	})
}

func TestMetricsMatchTheDashboards(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	fill(t, s)
	_, err := s.Conn(t).Do("SREM", "resque:queues", "\xff", "\"\\xff\"") // the dashboard does not quote these
	require.NoError(t, err)
	client := s.Client(t)
	dashboard, err := web.New(client, web.Config{Auth: web.AllowEveryone()})
	require.NoError(t, err)
	answer := httptest.NewRecorder()
	dashboard.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	theirs := parsed(t, answer.Body.String())
	_, ours := scraped(t, registry(t, prom.NewRedis(client, prom.RedisConfig{})))
	require.Len(t, theirs, 10)
	assert.Len(t, ours, len(theirs))
	for name, family := range theirs {
		require.Contains(t, ours, name)
		assert.Equal(t, family.GetType(), ours[name].GetType(), name)
		assert.Equal(t, family.GetHelp(), ours[name].GetHelp(), name)
		if name == "resque_queue_oldest_seconds" || name == "resque_delayed_late_seconds" {
			assert.Len(t, ours[name].GetMetric(), len(family.GetMetric()))
			continue // the values differ, because they were read at different times
		}
		assert.Equal(t, values(family), values(ours[name]), name)
	}
}

func values(family *dto.MetricFamily) map[string]float64 {
	all := map[string]float64{}
	for _, m := range family.GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetName()+"="+l.GetValue())
		}
		all[strings.Join(labels, ",")] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
	}
	return all
}

func TestUpIsZeroWhileRedisDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	proxy := s.Proxy(t)
	rdb, err := resque.Open(resque.RedisConfig{URL: proxy.URL})
	require.NoError(t, err)
	t.Cleanup(func() { _ = rdb.Close() })
	client, err := resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	r := registry(t, prom.NewRedis(client, prom.RedisConfig{Timeout: 300 * time.Millisecond}))
	for _, up := range []string{"1", "0", "1"} {
		end := func() {}
		if up == "0" {
			end = proxy.Silence()
		}
		require.Eventually(t, func() bool { // on a busy machine Redis does not always answer within Timeout
			status, families := scraped(t, r)
			now := "none"
			if family, ok := families["resque_up"]; ok && status == http.StatusOK {
				now = map[float64]string{0: "0", 1: "1"}[family.GetMetric()[0].GetGauge().GetValue()]
			}
			return now == up && (up == "1") == (len(families) > 1) // the other metrics are missing if Redis is down
		}, time.Minute, time.Millisecond, up)
		end()
	}
}

func TestUpIsZeroIfRedisRefusesConnections(t *testing.T) {
	t.Parallel()
	rdb, err := resque.Open(resque.RedisConfig{URL: "redis://127.0.0.1:" + redistest.FreePort(t)})
	require.NoError(t, err)
	client, err := resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	status, families := scraped(t, registry(t, prom.NewRedis(client, prom.RedisConfig{})))
	assert.Equal(t, http.StatusOK, status)
	assert.Len(t, families, 1)
	assert.Zero(t, families["resque_up"].GetMetric()[0].GetGauge().GetValue())
}

func TestScrapeReadsNoWholeListsAndWritesNothing(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	fill(t, s)
	client := s.Client(t)
	stop := s.Monitor(t)
	_, _ = scraped(t, registry(t, prom.NewRedis(client, prom.RedisConfig{})))
	var commands []string
	for _, words := range stop() {
		commands = append(commands, strings.ToUpper(words[0]))
	}
	slices.Sort(commands)
	commands = slices.DeleteFunc(slices.Compact(commands), func(c string) bool { return c == "HELLO" || c == "CLIENT" })
	assert.Equal(t, []string{"EVAL", "EXISTS", "GET", "HGETALL", "LINDEX", "LLEN", "MGET", "SMEMBERS", "STRLEN", "TIME", "ZCARD", "ZRANGE"}, commands)
}

func TestStaleAfterIsConfigurable(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	fill(t, s)
	_, families := scraped(t, registry(t, prom.NewRedis(s.Client(t), prom.RedisConfig{StaleAfter: 2 * time.Hour})))
	assert.Equal(t, map[string]float64{"state=idle": 2, "state=silent": 1, "state=stale": 1, "state=working": 2}, values(families["resque_workers"]))
}
