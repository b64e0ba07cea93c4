package web_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/web"
)

func TestNewReportsEveryMistake(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	_, err := web.New(client, web.Config{PerPage: -1, StaleAfter: -time.Second})
	require.ErrorContains(t, err, "Auth is not set")
	require.ErrorContains(t, err, "PerPage is -1")
	require.ErrorContains(t, err, "StaleAfter is -1s")
	_, err = web.New(client, web.Config{Auth: web.AllowEveryone(), Refresh: time.Millisecond, StaleAfter: time.Nanosecond, DoctorEvery: time.Millisecond})
	require.ErrorContains(t, err, "Refresh is 1ms; it must be at least 1s, or negative for never")
	require.ErrorContains(t, err, "StaleAfter is 1ns; it must be at least 2s")
	require.ErrorContains(t, err, "DoctorEvery is 1ms; it must be at least 10s, or 0 for never")
	_, err = web.New(client, web.Config{Auth: web.AllowEveryone(), DoctorEvery: -time.Hour})
	require.ErrorContains(t, err, "DoctorEvery is -1h0m0s; it must be at least 10s")
	_, err = web.New(nil, web.Config{Auth: web.AllowEveryone()})
	require.ErrorContains(t, err, "the client is nil")
	_, err = web.New(&resque.Client{}, web.Config{Auth: web.AllowEveryone()})
	require.ErrorContains(t, err, "the client is nil")
	_, err = web.New(client, web.Config{Auth: web.AllowEveryone(), TrustedOrigins: []string{"not an origin"}})
	require.ErrorContains(t, err, "trusted origin")
}

// actions are all paths that change something.
var actions = []string{ //nolint:gochecknoglobals // a table
	"/queues/exports/remove", "/queues/exports/clear", "/queues/remove", "/queues/clear", "/queues/exports/pause", "/queues/exports/resume",
	"/queues/exports/jobs/remove", "/queues/exports/jobs/move", "/queues/exports/jobs/matching", "/workers/pause", "/workers/resume", "/workers/prune",
	"/workers/host:1:x/prune", "/workers/host:1:x/stop", "/workers/host:1:x/quiet", "/workers/host:1:x/resume", "/workers/host:1:x/shutdown", "/queues/exports/jobs/matching/move", "/failed/clear", "/failed/clear_retried", "/failed/requeue", "/failed/remove", "/failed/requeue/all",
	"/failed/requeue/0", "/failed/remove/0", "/failed/exports_failed/clear", "/failed/exports_failed/requeue/all",
	"/locks/release", "/locks/0123456789abcdef/release", "/schedule", "/schedule/requeue", "/schedule/requeue_with_params", "/schedule/enable", "/schedule/disable",
	"/delayed/queue_now", "/delayed/cancel_now", "/delayed/queue_now/all", "/delayed/clear",
	"/delayed/queue_now/4102444800:0-0123456789abcdef", "/delayed/cancel_now/4102444800:0-0123456789abcdef",
	"/retry/queue_now", "/retry/cancel_now", "/retry/give_up", "/retry/queue_now/all", "/retry/clear", "/retry/give_up/all",
	"/retry/queue_now/4102444800:0-0123456789abcdef", "/retry/cancel_now/4102444800:0-0123456789abcdef", "/retry/give_up/4102444800:0-0123456789abcdef",
	"/retry/4102444800/remove", "/retry/4102444800/jobs/4102444800:0-0123456789abcdef/remove",
	"/failed/exports_failed/requeue/0", "/failed/exports_failed/remove/0", "/ops/1/cancel", "/doctor/fix", "/trash/1/restore",
}

func TestWithoutAccessThereIsNothing(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{Auth: web.BasicAuth("ops", "sesame"), Title: "Secret name"})
	s.failures(1)
	for _, path := range append(pagePaths, "/metrics", "/stats.txt", "/nothing", "/failed.json", "/overview.poll") {
		a := s.get(path)
		assert.Equal(t, http.StatusUnauthorized, a.Code, path)
		assert.Contains(t, a.Header().Get("WWW-Authenticate"), "Basic realm=")
		for _, secret := range []string{"Exporter", "redis://", "no room left"} {
			if !strings.Contains(path, secret) {
				absent(t, a.Body.String(), secret, "%s", path)
			}
		}
	}
	for _, path := range actions {
		assert.Equal(t, http.StatusUnauthorized, s.post(path, "sure=1").Code, path)
	}
	assert.Equal(t, http.StatusOK, s.get("/healthz").Code, "a load balancer does not sign in")
	assert.Len(t, s.list("resque:failed"), 1)

	authorized := "Authorization: Basic b3BzOnNlc2FtZQ=="
	assert.Equal(t, http.StatusOK, s.get("/failed", authorized).Code)
	for name, header := range map[string]string{
		"another password": "Basic b3BzOnNlc2FtZQo=", "another user": "Basic cm9vdDpzZXNhbWU=", "no password": "Basic b3BzOg==", "a token": "Bearer b3BzOnNlc2FtZQ==",
	} {
		assert.Equal(t, http.StatusUnauthorized, s.get("/failed", "Authorization: "+header).Code, name)
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	as := func(level web.Level, err error) web.AuthFunc {
		return func(*http.Request) (web.Access, error) { return web.Access{User: "ann", Level: level}, err }
	}
	for name, c := range map[string]struct {
		cfg         web.Config
		page, write int
	}{
		"none":                              {web.Config{Auth: as(web.None, nil)}, 403, 403},
		"the zero Access":                   {web.Config{Auth: web.AuthFunc(func(*http.Request) (web.Access, error) { return web.Access{}, nil })}, 403, 403},
		"an error":                          {web.Config{Auth: as(web.Write, errors.New("no"))}, 403, 403},
		"read":                              {web.Config{Auth: as(web.Read, nil)}, 200, 403},
		"write":                             {web.Config{Auth: as(web.Write, nil)}, 200, 303},
		"write, read only":                  {web.Config{Auth: as(web.Write, nil), ReadOnly: true}, 200, 403},
		"ReadOnlyFor a write":               {web.Config{Auth: web.ReadOnlyFor(as(web.Write, nil))}, 200, 403},
		"ReadOnlyFor a user without access": {web.Config{Auth: web.ReadOnlyFor(as(web.None, nil))}, 403, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openOn(t, server, c.cfg)
			assert.Equal(t, c.page, s.get("/overview").Code)
			assert.Equal(t, c.write, s.post("/queues/exports/pause", "").Code)
		})
	}
}

// A user with read access sees no buttons, and all actions are refused.
func TestReadersCannotChangeAnything(t *testing.T) {
	t.Parallel()
	var told []web.Action
	s := open(t, web.Config{Auth: web.ReadOnlyFor(web.AllowEveryone()), OnAction: func(_ context.Context, a web.Action) { told = append(told, a) }})
	s.fill()
	before := dump(t, s)
	for _, path := range pagePaths {
		if strings.HasPrefix(path, "/failed/re") {
			continue // GET pages that ask for confirmation
		}
		for _, form := range elements(parse(t, s.get(path).Body.String()), "form") {
			action := attr(form, "action")
			assert.True(t, attr(form, "method") == "get" || attr(form, "method") == "dialog" || strings.HasSuffix(action, "settings") ||
				action == "" || len(elements(form, "button")) == 0, "%s has a form to %s", path, action)
		}
	}
	for _, path := range actions {
		told = nil
		a := s.post(path, "sure=1&ids=0-0123456789abcdef&to=x")
		assert.Equal(t, http.StatusForbidden, a.Code, path)
		assert.Contains(t, a.Body.String(), "read-only access")
		require.Len(t, told, 1, "%s: OnAction is called for a refused change", path)
		assert.Equal(t, "everyone", told[0].User)
		require.Error(t, told[0].Err)
	}
	assert.Equal(t, http.StatusSeeOther, s.post("/settings", "theme=dark").Code, "the user's own settings")
	assert.Equal(t, before, dump(t, s))
}

// Requests from other sites change nothing.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{TrustedOrigins: []string{"https://admin.example.com"}})
	s.fill()
	before := dump(t, s)
	for _, path := range actions {
		for _, headers := range [][]string{
			{"Sec-Fetch-Site: cross-site"}, {"Sec-Fetch-Site: same-site"}, {"Origin: http://evil.example"}, {"Origin: null"},
		} {
			a := s.ask(http.MethodPost, path, "sure=1", headers...)
			assert.Equal(t, http.StatusForbidden, a.Code, "%s %v", path, headers)
			assert.Contains(t, a.Body.String(), "another site")
		}
		assert.NotEqual(t, http.StatusSeeOther, s.get(path+"?sure=1").Code, "a GET of %s", path)
	}
	assert.Equal(t, before, dump(t, s))

	for name, headers := range map[string][]string{
		"a browser, here":  {"Sec-Fetch-Site: same-origin"},
		"typed in":         {"Sec-Fetch-Site: none"},
		"an older browser": {"Origin: http://example.com"},
		"curl":             {},
		"a trusted origin": {"Origin: https://admin.example.com", "Sec-Fetch-Site: cross-site"},
	} {
		assert.Equal(t, http.StatusSeeOther, s.ask(http.MethodPost, "/queues/exports/pause", "x=1", headers...).Code, name)
	}
}

func TestAllowedHosts(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{AllowedHosts: []string{"localhost", "::1", "resque.example.com"}})
	for host, status := range map[string]int{
		"localhost": 200, "LOCALHOST:5678": 200, "[::1]:5678": 200, "[::1]": 200, "resque.example.com": 200,
		"evil.example": 421, "localhost.evil.example": 421, "127.0.0.1": 421, "evil.example:5678": 421,
	} {
		assert.Equal(t, status, s.get("/overview", "Host: "+host).Code, host)
		assert.NotEqual(t, 303, s.post("/failed/clear", "sure=1", "Host: evil.example").Code)
	}
}

// Every answer has the security headers, and no page has inline code.
func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fill()
	answers := []answer{s.post("/failed/clear", ""), s.post("/queues/exports/pause", ""), s.get("/nothing"), s.get("/failed/clear"), s.get("/metrics"), s.get("/healthz"), s.get("/stats.txt"), s.get("/failed.json")}
	for _, path := range pagePaths {
		answers = append(answers, s.get(path))
	}
	for _, link := range elements(parse(t, s.get("/").Body.String()), "link") {
		answers = append(answers, s.get("/"+strings.TrimPrefix(attr(link, "href"), "./")))
	}
	for _, a := range answers {
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			assert.Equal(t, want, a.Header().Get(name), "%s of %s", name, a.path)
		}
		csp := a.Header().Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"} {
			assert.Contains(t, csp, part, a.path)
		}
		assert.NotContains(t, csp, "unsafe")
		if strings.HasPrefix(a.Header().Get("Content-Type"), "text/html") {
			assert.Equal(t, "no-store", a.Header().Get("Cache-Control"), a.path)
			noCode(t, a)
		}
	}
}

// noCode checks that a page has nothing that a browser would execute or apply as
// style.
func noCode(t *testing.T, a answer) {
	t.Helper()
	doc := parse(t, a.Body.String())
	for _, e := range elements(doc, "") {
		switch e.name {
		case "script":
			require.NotEmpty(t, attr(e, "src"), "an inline script on %s", a.path)
			require.Empty(t, e.children, "%s", a.path)
		case "style", "iframe", "object", "embed", "base", "img":
			require.Fail(t, "a "+e.name+" element", "on %s", a.path)
		}
		for _, attribute := range e.attrs {
			key := strings.ToLower(attribute.Name.Local)
			require.False(t, strings.HasPrefix(key, "on"), "%s on %s", key, a.path)
			require.NotEqual(t, "style", key, "on %s", a.path)
			if key == "href" || key == "src" || key == "action" || key == "formaction" {
				require.False(t, strings.HasPrefix(strings.TrimSpace(strings.ToLower(attribute.Value)), "javascript:"), "on %s", a.path)
				require.NotContains(t, attribute.Value, "ZgotmplZ", "on %s", a.path)
			}
		}
	}
}

func TestBackLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	for _, back := range []string{
		"https://evil.example/", "//evil.example", "/etc", `\\evil.example`, "javascript:alert(1)", "../../out", "..", "a/../../b",
		"x//evil.example/", "%2F%2Fevil.example", "failed\r\nX-Bad: 1", "http:evil", "?q=1\n", "user@host:x", "%2e%2e/%2e%2e/out", "a\\b", "\tjavascript:x",
	} {
		a := s.post("/queues/exports/pause", "back="+escape(back))
		assert.Equal(t, "../../queues", a.Header().Get("Location"), "%q", back)
		assert.Empty(t, a.Header().Get("X-Bad"))
	}
	for _, back := range []string{"failed?class=A%26B&page=2", "queues/a%2Fb", "workers"} {
		assert.Equal(t, "../../"+back, s.post("/queues/exports/pause", "back="+escape(back)).Header().Get("Location"))
	}
}

func TestRedaction(t *testing.T) {
	t.Parallel()
	job := `{"class":"SignUp","args":[{"Password":"geheim1","user":{"token":"geheim2","id":12345678901234567890,"name":"ann"}},[{"password":"geheim3"}],"plain"]}`
	s := open(t, web.Config{RedactKeys: []string{"password", "TOKEN"}})
	hidden := openOn(t, s.server, web.Config{HideArgs: true})
	s.do("SADD", "resque:queues", "exports")
	s.do("RPUSH", "resque:queue:exports", job, `{"class":"Bad","password":"geheim4"`, `[{"password":"geheim5"}]`,
		`"args":[{"password":"geheim8"}]}`)
	s.worker("host:1:exports", ago(0), `{"queue":"exports","run_at":"2026-01-01T00:00:00Z","payload":`+job+`}`)
	s.worker("host:2:exports", ago(0), `{"password":"geheim6"`)
	s.fail(strings.Replace(record("SignUp", "[]", "E", "no", "exports", time.Now(), ""), `"args":[]`, job[len(`{"class":"SignUp",`):len(job)-1], 1),
		`{"password":"geheim7"`)
	paths := []string{"/overview", "/queues/exports", "/working", "/working/host:1:exports", "/working/host:2:exports", "/failed", "/failed?q=plain", "/workers/host:1:exports", "/failed/remove/0", "/failed/remove/1"}
	for _, link := range links(t, s.get("/failed").Body.String()) {
		if strings.Contains(link, "failures/") {
			paths = append(paths, "/"+strings.TrimPrefix(link, "./"))
		}
	}
	require.Len(t, paths, 12, "two failures have pages")
	for _, path := range paths {
		for _, headers := range [][]string{nil, {"Accept: application/json"}} {
			page := s.get(path, headers...).Body.String()
			absent(t, page, "geheim", "%s %v", path, headers)
			none := hidden.get(path, headers...).Body.String()
			absent(t, none, "geheim", "%s %v", path, headers)
			if !strings.Contains(path, "?") && path != "/failed/remove/0" { // the search field contains the text
				absent(t, none, "plain", "%s %v", path, headers)
			}
		}
	}
	page := s.get("/working/host:1:exports").Body.String()
	assert.Contains(t, page, "[redacted]")
	assert.Contains(t, page, "12345678901234567890", "numbers are not rounded")
	assert.Contains(t, page, "ann")
	for _, path := range []string{"/stats/keys/queue:exports", "/stats/keys/failed", "/stats/keys/worker:host:1:exports"} {
		for _, site := range []*site{s, hidden} {
			for _, headers := range [][]string{nil, {"Accept: application/json"}} {
				a := site.get(path, headers...)
				absent(t, a.Body.String(), "geheim", "%s", path)
			}
		}
	}
}

// The names of keys of jobs have arguments too.
func TestRedactionOfKeys(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("SADD", `resque:timestamps:{"class":"A","args":["geheim"],"queue":"q"}`, "delayed:1")
	s.do("SET", `resque:lock:A-["geheim"]`, 1)
	s.do("SET", `resque:loner:lock:A:geheim`, 1)
	s.do("SADD", "resque:queueing:resque_uniqueness", `queueing:resque_uniqueness:{"class":"A","args":["geheim"]}`)
	s.do("SET", "resque:goresque:held:c:A:geheim", 1)
	s.do("SET", "resque:stat:processed", 1)
	for _, path := range []string{"/stats/keys", "/stats/keys/queueing:resque_uniqueness"} {
		for _, headers := range [][]string{nil, {"Accept: application/json"}} {
			assert.Contains(t, s.get(path, headers...).Body.String(), "geheim", path)
			for _, cfg := range []web.Config{{HideArgs: true}, {RedactKeys: []string{"password"}}} {
				absent(t, openOn(t, s.server, cfg).get(path, headers...).Body.String(), "geheim", "%s %v", path, headers)
			}
		}
	}
	present(t, openOn(t, s.server, web.Config{HideArgs: true}).get("/stats/keys").Body.String(), "stat:processed", "other names are shown")
}

func TestOnActionAndTheLog(t *testing.T) {
	t.Parallel()
	var told []web.Action
	s := open(t, web.Config{OnAction: func(_ context.Context, a web.Action) { told = append(told, a) }})
	s.post("/queues/exports/pause", "")
	require.Len(t, told, 1)
	assert.Equal(t, web.Action{User: "everyone", Name: "pause", Target: "exports", Count: 1}, told[0])

	var log bytes.Buffer
	client := s.server.Client(t)
	logging, err := web.New(client, web.Config{Auth: web.AllowEveryone(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	ask(t, logging, http.MethodPost, "/queues/exports/pause", "x=1")
	assert.Contains(t, log.String(), `msg="dashboard action" user=everyone action=pause target=exports count=1`)
	log.Reset()
	ask(t, logging, http.MethodPost, "/queues/exports/jobs/move", "to=")
	assert.Contains(t, log.String(), "level=WARN")
	assert.Contains(t, log.String(), "action=queues/:queue/jobs/move")
}

func TestTooMuch(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	a := s.post("/failed/requeue", "ids="+strings.Repeat("x", 1<<20))
	assert.Equal(t, http.StatusRequestEntityTooLarge, a.Code)
	a = s.post("/failed/requeue", strings.Repeat("ids=0-0123456789abcdef&", 1001))
	assert.Equal(t, http.StatusBadRequest, a.Code)
	a = s.post("/failed/requeue", "%zz")
	assert.Equal(t, http.StatusBadRequest, a.Code)
}

func TestAPanicIsAPage(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{Auth: web.AuthFunc(func(*http.Request) (web.Access, error) { panic("secret") })})
	a := s.get("/failed")
	assert.Equal(t, http.StatusInternalServerError, a.Code)
	assert.Contains(t, a.Body.String(), "Internal error")
	assert.NotContains(t, a.Body.String(), "secret")
}

func TestHostileCookies(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	for _, cookie := range []string{
		`resque_theme="><script>alert(1)</script>`, "resque_theme=sepia", "resque_refresh=-5", "resque_refresh=99999999999999999999", "resque_refresh=x",
		"resque_flash=%%%", "resque_flash=e30", "resque_flash=" + base64URL(`{"Text":"<script>alert(1)</script>","Trash":["../../x","<b>"]}`),
		"resque_flash=" + base64URL(`{"Text":5}`), "resque_flash=" + strings.Repeat("A", 5000),
	} {
		a := s.get("/overview", "Cookie: "+cookie)
		require.Equal(t, http.StatusOK, a.Code, cookie)
		noCode(t, a)
		for _, form := range elements(parse(t, a.Body.String()), "form") {
			assert.NotContains(t, attr(form, "action"), "/../", cookie)
		}
	}
	assert.Contains(t, s.get("/overview", "Cookie: resque_theme=dark").Body.String(), `data-theme="dark"`)
	for _, c := range s.post("/settings", "theme=dark&refresh=30").Result().Cookies() {
		assert.True(t, c.HttpOnly, c.Name)
		assert.Equal(t, http.SameSiteStrictMode, c.SameSite, c.Name)
	}
	assert.Empty(t, s.post("/settings", "theme=%22%3E&refresh=-1").Result().Cookies())
}

// Cookies that were set over TLS are sent over TLS only.
func TestCookiesOverTLS(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(1)
	for path, form := range map[string]string{"/settings": "theme=dark&refresh=30", "/failed/clear": "sure=1"} {
		for scheme, secure := range map[string]bool{"http": false, "https": true} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, scheme+"://resque.example.com"+path, strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			cookies := serve(s.dashboard, r).Result().Cookies()
			require.NotEmpty(t, cookies, path)
			for _, c := range cookies {
				assert.Equal(t, secure, c.Secure, "%s of %s by %s", c.Name, path, scheme)
				assert.True(t, c.HttpOnly, c.Name)
				assert.Equal(t, http.SameSiteStrictMode, c.SameSite, c.Name)
				assert.Equal(t, "/", c.Path, c.Name)
			}
		}
	}
}

// The message after an action is shown by the next page. A refresh or a dialog in
// between does not take it.
func TestMessageIsLeftForTheNextPage(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(3)
	a := s.post("/failed/remove/"+s.ids()[0], "")
	cookie := "Cookie: " + strings.SplitN(a.Header().Get("Set-Cookie"), ";", 2)[0]
	for _, asks := range []answer{
		s.get("/failed", cookie, "X-Fragment: 1"), s.get("/overview.poll", cookie), s.post("/failed/clear", "", cookie, "X-Dialog: 1"),
		s.get("/failed.json", cookie),
	} {
		assert.Empty(t, asks.Result().Cookies(), asks.path)
		absent(t, asks.Body.String(), "Removed 1 failure.", asks.path)
	}
	page := s.get("/failed", cookie)
	present(t, page.Body.String(), "Removed 1 failure.", "a page")
	require.Len(t, page.Result().Cookies(), 1)
	assert.Negative(t, page.Result().Cookies()[0].MaxAge, "shown once")
}

// The dashboard's script gets only the question, and the target instead of a
// redirect.
func TestDialogs(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(3)
	a := s.post("/failed/clear", "back=failed", "X-Dialog: 1")
	assert.Equal(t, http.StatusOK, a.Code)
	present(t, a.Body.String(), "Remove 3 failures?", "the question")
	absent(t, a.Body.String(), "<nav", "alone")
	a = s.post("/failed/clear", "sure=1", "X-Dialog: 1")
	assert.Equal(t, http.StatusNoContent, a.Code)
	assert.Equal(t, "../failed", a.Header().Get("X-Location"))
	assert.Empty(t, s.list("resque:failed"))
	present(t, a.Header().Get("Set-Cookie"), "resque_flash=", "the message for the next page")
	a = s.post("/failed/remove/0-0123456789abcdef", "", "X-Dialog: 1")
	assert.Equal(t, http.StatusConflict, a.Code)
	present(t, a.Body.String(), `class="ask"`, "an error page")
	assert.Equal(t, http.StatusForbidden, s.ask(http.MethodPost, "/failed/clear", "sure=1", "X-Dialog: 1", "Sec-Fetch-Site: cross-site").Code)
}
