package web_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/web"
)

// waitLong and tick are the arguments for require.Eventually.
const waitLong, tick = time.Minute, 10 * time.Millisecond

// site is a dashboard with its own Redis.
type site struct {
	t         *testing.T
	server    *redistest.Server
	conn      redis.Conn
	dashboard *web.Dashboard
}

// open starts a site. By default its Auth allows everything.
func open(t *testing.T, cfg web.Config) *site {
	t.Helper()
	return openOn(t, redistest.Start(t), cfg)
}

func openOn(t *testing.T, server *redistest.Server, cfg web.Config) *site {
	t.Helper()
	return &site{t: t, server: server, conn: server.Conn(t), dashboard: newDashboard(t, server, cfg)}
}

func newDashboard(t testing.TB, server *redistest.Server, cfg web.Config) *web.Dashboard {
	t.Helper()
	if cfg.Auth == nil {
		cfg.Auth = web.AllowEveryone()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	}
	if cfg.OnAction == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	dashboard, err := web.New(server.Client(t), cfg)
	require.NoError(t, err)
	web.Patiently(dashboard, waitLong)
	return dashboard
}

func (s *site) do(words ...any) any {
	s.t.Helper()
	reply, err := s.conn.Do(words[0].(string), words[1:]...)
	require.NoError(s.t, err, "%v", words)
	return reply
}

func (s *site) list(key string) []string {
	s.t.Helper()
	items, err := redis.Strings(s.do("LRANGE", key, 0, -1), nil)
	require.NoError(s.t, err)
	return items
}

// holds waits until a list has n entries. An action can finish after its answer.
func (s *site) holds(key string, entries int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return len(s.list(key)) == entries }, waitLong, tick, "%s, %d entries", key, entries)
}

// answer is an answer of the dashboard.
type answer struct {
	*httptest.ResponseRecorder
	path string
}

// get requests a page, with headers as "Name: value".
func (s *site) get(path string, headers ...string) answer {
	s.t.Helper()
	return s.ask(http.MethodGet, path, "", headers...)
}

// post sends a form, such as "ids=1-ab&sure=1", like a browser on a page of the
// dashboard.
func (s *site) post(path, form string, headers ...string) answer {
	s.t.Helper()
	return s.ask(http.MethodPost, path, form, append([]string{"Sec-Fetch-Site: same-origin"}, headers...)...)
}

func (s *site) ask(method, path, form string, headers ...string) answer {
	s.t.Helper()
	return ask(s.t, s.dashboard, method, path, form, headers...)
}

func ask(t testing.TB, h http.Handler, method, path, form string, headers ...string) answer {
	t.Helper()
	var body io.Reader
	if form != "" {
		body = strings.NewReader(form)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, body)
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		if name == "Content-Type" {
			r.Header.Del(name)
		}
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return answer{w, path}
}

// told returns the answer's JSON.
func (a answer) told(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal(a.Body.Bytes(), &v), "%s: %s", a.path, a.Body)
	return v
}

// record returns a failure as Ruby writes it.
func record(class, args, exception, message, queue string, at time.Time, more string) string {
	quote := func(text string) string { b, _ := json.Marshal(text); return string(b) }
	return fmt.Sprintf(`{"failed_at":%q,"payload":{"class":%s,"args":%s},"exception":%s,"error":%s,"backtrace":%s,"worker":%s,"queue":%s%s}`,
		at.UTC().Format("2006/01/02 15:04:05 MST"), quote(class), args, quote(exception), quote(message), trace(class),
		quote("worker-1.example.com:4212:"+queue), quote(queue), more)
}

func trace(class string) string {
	file := strings.ToLower(class)
	lines := []string{
		"/srv/app/jobs/" + file + ".rb:18:in `perform'",
		"/srv/app/lib/retryable.rb:31:in `block in with_retries'",
		"/srv/app/lib/retryable.rb:27:in `with_retries'",
		"/usr/lib/ruby/gems/3.1.0/gems/resque-3.0.0/lib/resque/job.rb:170:in `perform'",
		"/usr/lib/ruby/gems/3.1.0/gems/resque-3.0.0/lib/resque/worker.rb:318:in `perform'",
	}
	b, _ := json.Marshal(lines)
	return string(b)
}

// fail adds failures to the list, the oldest first.
func (s *site) fail(records ...string) {
	s.t.Helper()
	for _, r := range records {
		s.do("RPUSH", "resque:failed", r)
	}
}

// failures adds n failures of two kinds to the list.
func (s *site) failures(n int) {
	s.t.Helper()
	at := time.Now().Add(-time.Hour)
	for i := range n {
		class, message := "Exporter", "no room left on the disk"
		if i%3 == 2 {
			class, message = "Mailer", "450 mailbox busy"
		}
		s.fail(record(class, fmt.Sprintf("[%d]", i), "RuntimeError", message, strings.ToLower(class)+"s", at.Add(time.Duration(i)*time.Second), ""))
	}
}

// worker registers a worker. Its record may be empty.
func (s *site) worker(id, beat, working string) {
	s.t.Helper()
	s.do("SADD", "resque:workers", id)
	s.do("SET", "resque:worker:"+id+":started", time.Now().Add(-3*time.Hour).Format("2006-01-02 15:04:05 -0700"))
	if beat != "" {
		s.do("HSET", "resque:workers:heartbeat", id, beat)
	}
	if working != "" {
		s.do("SET", "resque:worker:"+id, working)
	}
}

// ago returns a heartbeat of that age.
func ago(d time.Duration) string { return time.Now().Add(-d).Format(time.RFC3339) }

func working(queue, class, args string, since time.Duration) string {
	return fmt.Sprintf(`{"queue":%q,"run_at":%q,"payload":{"class":%q,"args":%s}}`,
		queue, time.Now().Add(-since).UTC().Format(time.RFC3339), class, args)
}

// href returns the path of the first link that begins with prefix.
func (s *site) href(page, begins string) string {
	s.t.Helper()
	for _, link := range links(s.t, s.get(page).Body.String()) {
		if rest := strings.TrimPrefix(strings.TrimPrefix(link, "./"), "../"); strings.HasPrefix(rest, begins) {
			return "/" + rest
		}
	}
	s.t.Fatalf("%s links to nothing like %s", page, begins)
	return ""
}

func escape(text string) string { return url.QueryEscape(text) }

func base64URL(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// dump returns the content of Redis.
func dump(t *testing.T, s *site) map[string]string {
	t.Helper()
	keys, err := redis.Strings(s.do("KEYS", "*"), nil)
	require.NoError(t, err)
	all := map[string]string{}
	for _, key := range keys {
		read := map[string][]any{ // the embedded server supports DUMP for strings only
			"list": {"LRANGE", key, 0, -1}, "set": {"SMEMBERS", key}, "hash": {"HGETALL", key},
			"zset": {"ZRANGE", key, 0, -1, "WITHSCORES"}, "string": {"GET", key},
		}[s.do("TYPE", key).(string)]
		value := s.do(read...)
		if members, ok := value.([]any); ok && read[0] == "SMEMBERS" { // the order of a set may change
			slices.SortFunc(members, func(a, b any) int { return bytes.Compare(a.([]byte), b.([]byte)) })
		}
		all[key] = fmt.Sprintf("%q", value)
	}
	return all
}

func pathEscape(text string) string { return url.PathEscape(text) }

func startFuzz(f *testing.F) *redistest.Server {
	f.Helper()
	server := redistest.StartEmbedded(f)
	c := server.Conn(f)
	_, err := c.Do("SADD", "resque:queues", "exports")
	require.NoError(f, err)
	return server
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
