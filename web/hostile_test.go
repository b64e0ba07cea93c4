package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

// hostile is a text that would run as a script if a page did not escape it in an
// element, an attribute, an address or a script.
const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(1)>javascript:alert(1)` + "`${7*7}{{.}}</textarea></option></title>"

// Hostile text in any field of any record appears as plain text on every page.
func TestHostileText(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{Title: hostile, BackURL: "https://app.example.com/?a=1&b=2"})
	s.fillHostile()
	s.post("/overview", "x=1")
	pages := []string{
		"/", "/queues", "/queues?q=" + escape(hostile) + "&sort=" + escape(hostile), "/queues/" + pathEscape(hostile), "/queues/" + pathEscape(hostile) + "?q=script",
		"/working", "/workers", "/failed", "/failed?view=groups", "/failed?view=hours", "/failed?q=" + escape(hostile), "/failed?class=" + escape(hostile) + "&exception=" + escape(hostile) + "&queue=" + escape(hostile),
		"/failed/" + pathEscape(hostile+"_failed"), "/failed/requeue/0", "/failed/remove/0", "/stats", "/stats/keys", "/stats/redis",
		"/failed?since=" + escape(hostile), "/nothing/" + pathEscape(hostile), "/" + pathEscape(hostile), "/failed/requeue/" + pathEscape(hostile),
		"/workers/" + pathEscape(hostile), "/stats/keys/" + pathEscape(hostile), "/ops/" + pathEscape(hostile),
		"/batches", "/batches/hostile", "/failed?batch=" + escape(hostile),
		"/schedule", "/delayed", "/delayed?q=" + escape(hostile) + "&args=" + escape(hostile), "/delayed/4102444800", "/delayed/jobs/" + pathEscape(hostile) + "?args=" + escape(hostile),
		"/delayed/search?search=script", "/retry", "/statuses", "/statuses/hostile", "/statuses/" + pathEscape(hostile), "/limits", "/locks", "/locks?sort=class", "/trash", "/doctor", "/history",
		"/history?window=" + escape(hostile), "/stats/keys?sort=key", "/stats/keys?cursor=" + escape(hostile), "/queues?name=" + escape(hostile),
	}
	seen := map[string]bool{}
	texts := 0
	for len(pages) > 0 {
		path := pages[0]
		pages = pages[1:]
		if seen[path] || len(seen) > 160 {
			continue
		}
		seen[path] = true
		a := s.get(path)
		require.Less(t, a.Code, 500, path)
		require.Equal(t, "text/html; charset=utf-8", a.Header().Get("Content-Type"), path)
		noCode(t, a)
		doc := parse(t, a.Body.String())
		require.Len(t, elements(doc, "script"), 1, path)
		require.Len(t, elements(doc, "title"), 1, path)
		texts += strings.Count(text(t, a.Body.String()), "<script>alert(1)</script>")
		for _, link := range links(t, a.Body.String()) {
			if rest := strings.TrimLeft(link, "./"); strings.HasPrefix(rest, "failures/") || strings.HasPrefix(rest, "work") || strings.HasPrefix(rest, "stats/keys/") || strings.HasPrefix(rest, "queues/") {
				pages = append(pages, "/"+rest)
			}
		}
		asked := s.get(path, "Accept: application/json")
		require.Contains(t, []string{"application/json", "application/problem+json"}, asked.Header().Get("Content-Type"), path)
		require.True(t, json.Valid(asked.Body.Bytes()), path)
	}
	assert.Greater(t, len(seen), 40)
	assert.Greater(t, texts, 100, "the text is shown")
	metrics := s.get("/metrics").Body.String()
	for line := range strings.Lines(metrics) {
		require.Regexp(t, `^(# (HELP|TYPE) .*|[a-z_]+(\{[a-z]+="([^"\\]|\\.)*"(,[a-z]+="([^"\\]|\\.)*")*\})? [0-9.e+-]+)\n$`, line)
	}
}

func (s *site) fillHostile() {
	s.t.Helper()
	h := quoted(hostile)
	job := `{"class":` + h + `,"args":[` + h + `,{` + h + `:` + h + `}]}`
	rails := `{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":[{"job_class":` + h + `,"job_id":` + h + `,"arguments":[` + h + `],"enqueued_at":` + h + `}]}`
	for _, queue := range []string{hostile, "exports"} {
		s.do("SADD", "resque:queues", queue)
		s.do("RPUSH", "resque:queue:"+queue, job, rails, hostile, `{"class":5}`)
	}
	record := `{"failed_at":"2026/01/02 03:04:05 UTC","payload":` + job + `,"exception":` + h + `,"error":` + h + `,"backtrace":[` + h + `],"worker":` + h + `,"queue":` + h + `}`
	bad := `{"failed_at":` + h + `,"payload":` + h + `,"exception":{"a":` + h + `},"error":[` + h + `],"backtrace":` + h + `,"worker":5,"queue":false,"retried_at":` + h + `}`
	s.fail(record, strings.Replace(record, job, rails, 1), bad, hostile)
	s.do("SADD", "resque:failed_queues", hostile+"_failed")
	s.do("RPUSH", "resque:"+hostile+"_failed", record, hostile)
	id := strings.ReplaceAll(hostile, ":", "") + ":" + strings.ReplaceAll(hostile, ":", "") + ":" + hostile
	s.worker(id, hostile, `{"queue":`+h+`,"run_at":`+h+`,"payload":`+job+`}`)
	s.worker("host:1:x", ago(time.Hour), hostile)
	s.worker(hostile, "", "")
	s.do("SET", "resque:worker:"+id+":started", hostile)
	s.do("SET", "resque:stat:processed:"+id, hostile)
	s.do("SET", "resque:"+hostile, hostile)
	s.do("HSET", "resque:goresque:batch:hostile", "created", 1, "description", hostile, "fault", hostile, "callbacks", hostile, "complete", hostile, "success", job)
	s.do("ZADD", "resque:goresque:batches", "+inf", "hostile", "+inf", hostile)
	s.do("HSET", "resque:persistent_schedules", hostile, `{"class":`+h+`,"queue":`+h+`,"cron":`+h+`,"args":[`+h+`],"description":`+h+`}`,
		"b", `{"class":`+h+`,"queue":`+h+`,"every":"1h","args":{`+h+`:`+h+`},"description":`+h+`,"parameters":{`+h+`:{"description":`+h+`,"default":`+h+`}}}`, "c", hostile)
	s.do("HSET", "resque:goresque:schedule", hostile, `{"class":`+h+`,"queue":`+h+`,"cron":"0 3 * * *","description":`+h+`}`, "d", hostile)
	s.do("HSET", "resque:goresque:scheduler", "master", hostile, "since", hostile, "lateness", hostile)
	s.do("HSET", "resque:delayed:last_enqueued_at", hostile, hostile)
	s.do("ZADD", "resque:delayed_queue_schedule", 4102444800, 4102444800)
	s.do("RPUSH", "resque:delayed:4102444800", strings.Replace(job, "{", `{"queue":`+h+`,`, 1), hostile, `{"class":`+h+`,"args":{"`+"a"+`":`+h+`},"queue":5}`)
	s.do("SET", "resque:resque-retry:"+hostile+":1", hostile)
	s.do("SET", "resque:failure-resque-retry:"+hostile+":1", record)
	s.do("SET", "resque:status:hostile", `{"time":`+h+`,"status":`+h+`,"uuid":`+h+`,"name":`+h+`,"options":{`+h+`:`+h+`},"message":`+h+`,"num":`+h+`,"total":`+h+`}`)
	s.do("SET", "resque:status:"+hostile, hostile)
	s.do("ZADD", "resque:_statuses", 1, "hostile", 2, hostile)
	s.do("HSET", "resque:goresque:limits", hostile, hostile, "e", `{"concurrency":2}`)
	s.do("HSET", "resque:goresque:held:c:"+hostile, hostile, hostile)
	s.do("HSET", "resque:goresque:held:q:"+hostile, hostile, hostile)
	s.do("RPUSH", "resque:goresque:parked:c:"+hostile, hostile)
	s.do("SET", "resque:lock:"+hostile, hostile)
	s.do("SET", "resque:loners:queue:"+hostile+":job:"+hostile, hostile)
	s.do("RPUSH", "resque:lock:list-"+hostile, hostile)
	s.do("RPUSH", "resque:queue:removed", job, hostile)
	s.do("SADD", "resque:queues", "removed")
	s.post("/queues/removed/clear", "sure=1&count=2")
	s.do("HSET", "resque:hash", hostile, hostile)
	s.do("ZADD", "resque:zset", 1, hostile)
	s.do("SADD", "resque:set", hostile)
}

// Bytes that are not valid UTF-8 do no harm.
func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	raw := "\xff\xfe\x00\x1b[31m\u202egnp\u2028"
	s.do("SADD", "resque:queues", raw)
	s.do("RPUSH", "resque:queue:"+raw, raw, `{"class":"A`+raw+`","args":[]}`)
	s.do("RPUSH", "resque:failed", raw)
	s.worker("h"+raw+":1:"+raw, raw, raw)
	for _, path := range []string{"/", "/queues", "/queues/" + pathEscape(raw), "/failed", "/workers", "/working", "/stats/keys", "/stats/keys/" + pathEscape("queue:"+raw), "/stats.txt", "/metrics"} {
		a := s.get(path)
		assert.Equal(t, http.StatusOK, a.Code, path)
	}
	present(t, s.get("/queues/"+pathEscape(raw)).Body.String(), "2 jobs", "the queue is found by its bytes")
}

// FuzzPath asks for any path, with any method: never a 5xx, never a change.
func FuzzPath(f *testing.F) {
	server := startFuzz(f)
	dashboard := newDashboard(f, server, web.Config{})
	for _, path := range append(pagePaths, actions...) {
		f.Add(path, true)
		f.Add(path, false)
	}
	f.Add("//evil.example/%2e%2e/x", true)
	f.Fuzz(func(t *testing.T, path string, get bool) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.com/"+strings.TrimPrefix(path, "/"), http.NoBody)
		if err != nil {
			return // not a valid address
		}
		if !get {
			r.Method = http.MethodPost
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		}
		w := serve(dashboard, r)
		if w.Code >= 500 {
			t.Fatalf("%s: %d", path, w.Code)
		}
		if to := w.Header().Get("Location"); to != "" && !strings.HasPrefix(to, ".") {
			t.Fatalf("%s leads to %s", path, to)
		}
	})
}
