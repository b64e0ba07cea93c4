package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/web"
)

// Each of these records breaks pages of Ruby's front end, or is unusual. Here every
// page shows it next to an intact one, and the failure can be viewed and removed.
func TestDamagedFailures(t *testing.T) {
	t.Parallel()
	sound := record("Sound", "[1]", "RuntimeError", "boom", "exports", time.Now(), "")
	with := func(old, now string) string {
		require.Contains(t, sound, old)
		return strings.Replace(sound, old, now, 1)
	}
	at := `"failed_at":"` + time.Now().UTC().Format("2006/01/02 15:04:05 MST") + `"`
	if !strings.Contains(sound, at) { // the clock reached the next second
		at = sound[1 : strings.Index(sound, `UTC"`)+4]
	}
	worker := `"worker":"worker-1.example.com:4212:exports"`
	backtrace := `"backtrace":` + trace("Sound")
	for name, raw := range map[string]string{
		"not JSON":             `{"failed_at"`,
		"an array":             `[]`,
		"null":                 `null`,
		"a string":             `"text"`,
		"empty":                ``,
		"no failed_at":         with(at+",", ""),
		"failed_at null":       with(at, `"failed_at":null`),
		"failed_at empty":      with(at, `"failed_at":""`),
		"failed_at a number":   with(at, `"failed_at":1700000000`),
		"failed_at RFC 3339":   with(at, `"failed_at":"2026-01-02T03:04:05Z"`),
		"no worker":            with(worker+",", ""),
		"worker null":          with(worker, `"worker":null`),
		"backtrace a string":   with(backtrace, `"backtrace":"x"`),
		"backtrace null":       with(backtrace, `"backtrace":null`),
		"backtrace empty":      with(backtrace, `"backtrace":[]`),
		"backtrace of numbers": with(backtrace, `"backtrace":[1,null]`),
		"retried_at empty":     with(`"queue":"exports"`, `"queue":"exports","retried_at":""`),
		"retried_at odd":       with(`"queue":"exports"`, `"queue":"exports","retried_at":{}`),
		"payload null":         with(`{"class":"Sound","args":[1]}`, `null`),
		"payload a string":     with(`{"class":"Sound","args":[1]}`, `"x"`),
		"args null":            with(`"args":[1]`, `"args":null`),
		"args an object":       with(`"args":[1]`, `"args":{"a":1}`),
		"args of 100 levels":   with(`"args":[1]`, `"args":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)),
		"class null":           with(`"class":"Sound"`, `"class":null`),
		"class a number":       with(`"class":"Sound"`, `"class":5`),
		"exception null":       with(`"exception":"RuntimeError"`, `"exception":null`),
		"error null":           with(`"error":"boom"`, `"error":null`),
		"error a list":         with(`"error":"boom"`, `"error":["boom"]`),
		"queue null":           with(`"queue":"exports"`, `"queue":null`),
		"more members":         with(`"queue":"exports"`, `"queue":"exports","more":{"a":[1]}`),
		"a member twice":       with(`"queue":"exports"`, `"queue":"exports","queue":"mail"`),
		"1 MB of error":        with(`"error":"boom"`, `"error":"`+strings.Repeat("x", 1<<20)+`"`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, web.Config{})
			s.fail(sound, raw)
			for _, path := range []string{"/failed", "/overview", "/failed?view=groups", "/failed?view=hours", "/failed?q=boom", "/failed?class=Sound", "/failed?since=1h", "/failed/requeue/1", "/failed/remove/1", "/stats/keys/failed"} {
				a := s.get(path)
				require.Equal(t, http.StatusOK, a.Code, path)
				require.Less(t, a.Body.Len(), 40<<10, path)
			}
			list := s.get("/failed").Body.String()
			present(t, list, "Sound", "the intact one")
			path := s.href("/failed", "failures/1-")
			page := s.get(path)
			require.Equal(t, http.StatusOK, page.Code)
			id := strings.TrimPrefix(path, "/failures/")
			require.Less(t, s.post("/failed/requeue/"+id, "").Code, 500)
			s.do("DEL", "resque:failed")
			s.fail(sound, raw)
			require.Equal(t, http.StatusSeeOther, s.post("/failed/remove/"+id, "").Code)
			assert.Equal(t, []string{sound}, s.list("resque:failed"))
		})
	}
}

func TestDamagedQueuesAndWorkers(t *testing.T) {
	t.Parallel()
	pages := []string{"/overview", "/queues", "/queues/odd", "/queues/odd?q=x", "/working", "/workers", "/workers.poll", "/stats", "/stats.txt", "/metrics"}
	for name, fill := range map[string]func(s *site){
		"a job that is not JSON":         func(s *site) { s.do("RPUSH", "resque:queue:odd", `{"class"`) },
		"a job that is an array":         func(s *site) { s.do("RPUSH", "resque:queue:odd", `[1]`) },
		"an empty job":                   func(s *site) { s.do("RPUSH", "resque:queue:odd", ``) },
		"an ActiveJob without arguments": func(s *site) { s.do("RPUSH", "resque:queue:odd", activeJob("[]")) },
		"an ActiveJob of a string":       func(s *site) { s.do("RPUSH", "resque:queue:odd", activeJob(`["x"]`)) },
		"an ActiveJob of null":           func(s *site) { s.do("RPUSH", "resque:queue:odd", activeJob(`[null]`)) },
		"a job without a class":          func(s *site) { s.do("RPUSH", "resque:queue:odd", `{"args":[1]}`) },
		"a job without arguments":        func(s *site) { s.do("RPUSH", "resque:queue:odd", `{"class":"A","args":null}`) },
		"a job with enqueued_at":         func(s *site) { s.do("RPUSH", "resque:queue:odd", `{"class":"A","args":[],"enqueued_at":1e300}`) },
		"a job of 1 MB": func(s *site) {
			s.do("RPUSH", "resque:queue:odd", `{"class":"A","args":["`+strings.Repeat("x", 1<<20)+`"]}`)
		},
		"a queue that is a string":       func(s *site) { s.do("SET", "resque:queue:odd", "x") },
		"a record without a payload":     func(s *site) { s.worker("h:1:odd", ago(0), `{"queue":"odd","run_at":"2026-01-01T00:00:00Z"}`) },
		"a record without run_at":        func(s *site) { s.worker("h:1:odd", ago(0), `{"queue":"odd","payload":{"class":"A","args":[]}}`) },
		"a record that is not JSON":      func(s *site) { s.worker("h:1:odd", ago(0), `{`) },
		"a record that is empty":         func(s *site) { s.worker("h:1:odd", ago(0), ``); s.do("SET", "resque:worker:h:1:odd", "") },
		"a record that is a list":        func(s *site) { s.worker("h:1:odd", ago(0), ``); s.do("RPUSH", "resque:worker:h:1:odd", "x") },
		"a record that is an array":      func(s *site) { s.worker("h:1:odd", ago(0), `[]`) },
		"an id of two parts":             func(s *site) { s.worker("h:1", ago(0), `{}`) },
		"an id of one part":              func(s *site) { s.worker("h", ago(0), `{}`) },
		"an id without queues":           func(s *site) { s.worker("h:1:", ago(0), ``) },
		"an empty id":                    func(s *site) { s.worker("", ago(0), ``) },
		"an id of colons":                func(s *site) { s.worker("::::", ago(0), ``) },
		"no heartbeat":                   func(s *site) { s.worker("h:1:odd", "", ``) },
		"a heartbeat that is not a time": func(s *site) { s.worker("h:1:odd", "yesterday", ``) },
		"a heartbeat of the future":      func(s *site) { s.worker("h:1:odd", "2126-01-01T00:00:00Z", ``) },
		"no start":                       func(s *site) { s.worker("h:1:odd", ago(0), ``); s.do("DEL", "resque:worker:h:1:odd:started") },
		"the set of queues is a string":  func(s *site) { s.do("DEL", "resque:queues"); s.do("SET", "resque:queues", "x") },
		"the set of workers is a list":   func(s *site) { s.do("RPUSH", "resque:workers", "x") },
		"the heartbeats are a string":    func(s *site) { s.do("SET", "resque:workers:heartbeat", "x") },
		"a counter that is not a number": func(s *site) { s.do("SET", "resque:stat:processed", "many") },
		"a counter that is a list":       func(s *site) { s.do("RPUSH", "resque:stat:processed", "1") },
		"the failures are a string":      func(s *site) { s.do("SET", "resque:failed", "x") },
		"the pause is a list":            func(s *site) { s.do("RPUSH", "resque:pause-all-workers", "true") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, web.Config{})
			s.do("SADD", "resque:queues", "odd")
			s.do("RPUSH", "resque:queue:odd", `{"class":"Sound","args":[1]}`)
			if strings.Contains(name, "a queue that is") {
				s.do("DEL", "resque:queue:odd")
			}
			fill(s)
			for _, path := range pages {
				a := s.get(path)
				require.Equal(t, http.StatusOK, a.Code, "%s: %.2000s", path, a.Body)
				require.Less(t, a.Body.Len(), 50<<10, path)
			}
			for _, link := range links(t, s.get("/workers").Body.String()) {
				if rest := strings.TrimLeft(link, "./"); strings.HasPrefix(rest, "workers/") {
					require.Equal(t, http.StatusOK, s.get("/"+rest).Code, rest)
				}
			}
		})
	}
}

func activeJob(args string) string {
	return fmt.Sprintf(`{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":%s}`, args)
}

// If Redis does not answer, the page says so with status 503 and still has its
// navigation.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := server.Proxy(t)
	away := &redistest.Server{URL: "redis://127.0.0.1:" + redistest.FreePort(t)}
	for name, s := range map[string]*site{
		"no server listens": {t: t, dashboard: newDashboard(t, away, web.Config{})},
		"it is there":       {t: t, dashboard: newDashboard(t, &redistest.Server{URL: proxy.URL}, web.Config{})},
	} {
		for _, path := range pagePaths {
			a := s.get(path)
			if name == "it is there" {
				require.NotEqual(t, http.StatusServiceUnavailable, a.Code, path)
				continue
			}
			require.Equal(t, http.StatusServiceUnavailable, a.Code, path)
			page := a.Body.String()
			if strings.HasSuffix(path, ".js") {
				continue // for programs
			}
			present(t, page, "Redis does not answer", "%s", path)
			present(t, page, `aria-label="Pages"`, "%s has its navigation", path)
			absent(t, page, "connection refused", "%s: the cause is for the log", path)
		}
	}
	s := &site{t: t, dashboard: newDashboard(t, away, web.Config{})}
	for _, path := range actions {
		assert.GreaterOrEqual(t, s.post(path, "sure=1&ids=0-0123456789abcdef&to=y").Code, 400, path)
	}
	assert.Equal(t, http.StatusServiceUnavailable, s.get("/healthz").Code)
	present(t, s.get("/metrics").Body.String(), "resque_up 0", "metrics")
	assert.Equal(t, "application/problem+json", s.get("/failed", "Accept: application/json").Header().Get("Content-Type"))
	assert.EqualValues(t, 503, s.get("/failed.json").told(t)["status"])
}
