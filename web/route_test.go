package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

// All paths of Ruby's front end and ours, with their answers.
func TestRoutes(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("SADD", "resque:queues", "a/b", "exports", "x.json", "jobs.poll", "..", "")
	s.do("RPUSH", "resque:queue:a/b", `{"class":"Slashed","args":[]}`)
	s.worker("web-1.prod:4212:*", ago(time.Second), working("exports", "Exporter", "[1]", time.Second))
	s.failures(2)
	for _, c := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"GET", "/", 200, "Overview"},
		{"GET", "/overview", 200, "Overview"},
		{"GET", "/overview/", 200, "Overview"},
		{"GET", "/overview/all", 200, "Overview"},
		{"HEAD", "/", 200, ""},
		{"GET", "/queues", 200, "a/b"},
		{"GET", "/queues/", 200, "a/b"},
		{"GET", "/queues/exports", 200, "queue is empty"},
		{"GET", "/queues/a%2Fb", 200, "Slashed"},
		{"GET", "/queues/a%2Fb/", 200, "Slashed"},
		{"GET", "/queues/a%2fb?start=0", 200, "Slashed"},
		{"GET", "/queues/x.json", 200, "<h1>x.json"},
		{"GET", "/queues/jobs.poll", 200, "<h1>jobs.poll"},
		{"GET", "/queues?name=..", 200, "<h1>.."},
		{"GET", "/queues?name=", 200, "(no name)"},
		{"GET", "/queues/unknown", 200, "queue is empty"},
		{"GET", "/working", 200, "Exporter"},
		{"GET", "/working/web-1.prod:4212:*", 200, "web-1.prod"},
		{"GET", "/workers", 200, "4212"},
		{"GET", "/workers/all", 200, "4212"},
		{"GET", "/workers/web-1.prod", 200, "4212"},
		{"GET", "/workers/web-1.prod:4212:*", 200, "Running job"},
		{"GET", "/workers/web-1.prod:4212:%2A", 200, "Running job"},
		{"GET", "/workers/unknown", 404, "is not registered"},
		{"GET", "/failed", 200, "Exporter"},
		{"GET", "/failed/", 200, "Exporter"},
		{"GET", "/failed?start=0&class=Exporter&order=asc", 200, "Exporter"},
		{"GET", "/failed/failed", 200, "Exporter"},
		{"GET", "/failed/unknown_failed", 404, "page does not exist"},
		{"GET", "/failed/requeue/0", 200, "Retry this job?"},
		{"GET", "/failed/requeue/7", 410, "no longer exists"},
		{"GET", "/failed/remove/1", 200, "Remove this failure?"},
		{"GET", "/failed/failed/requeue/0", 200, "Retry this job?"},
		{"GET", "/failed/failed/remove/0", 200, "Remove this failure?"},
		{"GET", "/failed/remove/nonsense", 404, "page does not exist"},
		{"GET", "/failures/nonsense", 404, "page does not exist"},
		{"GET", "/failures/0-0123456789abcdef", 410, "no longer exists"},
		{"GET", "/schedule", 200, "No schedules"},
		{"GET", "/schedule/", 200, "No schedules"},
		{"POST", "/schedule", 400, "form is incomplete"},
		{"DELETE", "/schedule", 400, "form is incomplete"},
		{"DELETE", "/schedule?job_name=x", 404, "schedule does not exist"},
		{"POST", "/schedule/requeue", 400, "form is incomplete"},
		{"GET", "/schedule/requeue", 405, "does not accept that method"},
		{"GET", "/delayed", 200, "No delayed jobs"},
		{"GET", "/delayed/", 200, "No delayed jobs"},
		{"GET", "/retry", 200, "No job waits for another attempt"},
		{"GET", "/delayed/1768480796", 200, "No job is due at this time"},
		{"GET", "/delayed/jobs/Exporter?args=[1]", 200, "No delayed job matches"},
		{"GET", "/delayed/search", 200, "Type a part"},
		{"GET", "/delayed/tomorrow", 404, "page does not exist"},
		{"GET", "/delayed/queue_now/x", 405, "does not accept that method"},
		{"POST", "/delayed/queue_now", 400, "form is incomplete"},
		{"POST", "/delayed/queue_now/1768480796:0-0123456789abcdef", 409, "It has changed"},
		{"GET", "/stats", 200, "processed"},
		{"GET", "/stats/resque", 200, "processed"},
		{"GET", "/stats/keys", 200, "queue:a/b"},
		{"GET", "/stats/keys/queue:a%2Fb", 200, "Slashed"},
		{"GET", "/stats/keys/nothing", 404, "key does not exist"},
		{"GET", "/stats.txt", 200, "resque.pending=1"},
		{"GET", "/metrics", 200, "resque_up 1"},
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/key", 404, "page does not exist"},
		{"GET", "/key/failed", 404, "page does not exist"},
		{"GET", "/nothing", 404, "page does not exist"},
		{"GET", "/queues//", 404, "page does not exist"},
		{"GET", "/%zz", 404, ""},
		{"GET", "/ops/unknown", 410, "operation is unknown"},
		{"GET", "/assets/none.css", 404, "page does not exist"},
		{"GET", "/failed/clear", 404, "page does not exist"},
		{"POST", "/overview", 405, "does not accept that method"},
		{"PUT", "/failed/clear", 405, "does not accept that method"},
		{"DELETE", "/queues/exports", 405, "does not accept that method"},
		{"GET", "/queues/exports/remove", 405, "does not accept that method"},
		{"OPTIONS", "/failed", 405, "does not accept that method"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(c.path, "%zz") {
				r := httptest.NewRequestWithContext(t.Context(), c.method, "/x", nil)
				r.URL = &url.URL{Path: "/x", RawPath: "/%zz"}
				w := httptest.NewRecorder()
				s.dashboard.ServeHTTP(w, r)
				assert.Equal(t, c.status, w.Code)
				return
			}
			a := ask(t, s.dashboard, c.method, c.path, "", "Sec-Fetch-Site: same-origin")
			assert.Equal(t, c.status, a.Code)
			present(t, a.Body.String(), c.says, "%s", c.path)
		})
	}
}

func TestMethodNotAllowedNamesTheMethods(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	assert.Equal(t, "POST", s.get("/queues/exports/clear").Header().Get("Allow"))
	assert.Equal(t, "GET", s.post("/stats/keys", "").Header().Get("Allow"))
	assert.Equal(t, http.StatusOK, s.ask(http.MethodHead, "/failed", "").Code)
}

// A fragment is the part that a refresh replaces: it has no head and no navigation.
func TestFragments(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.worker("host:1:exports", ago(time.Second), "")
	for _, path := range []string{
		"/overview.poll", "/overview/all.poll", "/workers.poll", "/working.poll", "/workers/host.poll", "/workers/host:1:exports.poll",
		"/schedule.poll", "/delayed.poll", "/delayed/4102444800.poll",
	} {
		a := s.get(path)
		assert.Equal(t, http.StatusOK, a.Code, path)
		assert.Contains(t, a.Body.String(), `data-live="main"`, path)
		assert.NotContains(t, a.Body.String(), "<html", path)
		assert.NotContains(t, a.Body.String(), "<nav aria-label=\"Pages\"", path)
	}
	first := s.get("/queues", "X-Fragment: 1")
	tag := first.Header().Get("ETag")
	require.NotEmpty(t, tag)
	assert.NotContains(t, first.Body.String(), "<html")
	again := s.get("/queues", "X-Fragment: 1", "If-None-Match: "+tag)
	assert.Equal(t, http.StatusNotModified, again.Code)
	assert.Empty(t, again.Body.String())
	s.do("SADD", "resque:queues", "another")
	web.Age(s.dashboard, -time.Hour) // a snapshot is shared for a second
	assert.Equal(t, http.StatusNotModified, s.get("/queues", "X-Fragment: 1", "If-None-Match: "+tag).Code)
	web.Age(s.dashboard, time.Hour+time.Second)
	changed := s.get("/queues", "X-Fragment: 1", "If-None-Match: "+tag)
	assert.Equal(t, http.StatusOK, changed.Code)
	assert.Contains(t, changed.Body.String(), "another")
	assert.Empty(t, s.get("/queues").Header().Get("ETag"), "a whole page contains its time")
}

// Pages work below any mount. Each link and form of each page is followed like in a
// browser, and must lead below the mount.
func TestMounts(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fill()
	s.do("SADD", "resque:queues", "a/b c?d#e%f", "..")
	s.do("RPUSH", "resque:queue:a/b c?d#e%f", `{"class":"Odd","args":[]}`)
	plain := func(prefix string) http.Handler {
		m := http.NewServeMux()
		m.Handle(prefix+"/", http.StripPrefix(prefix, s.dashboard))
		return m
	}
	gorilla := mux.NewRouter().UseEncodedPath().SkipClean(true)
	gorilla.PathPrefix("/resque").Handler(http.StripPrefix("/resque", s.dashboard))
	for name, c := range map[string]struct {
		prefix  string
		handler http.Handler
	}{
		"at the root":        {"", s.dashboard},
		"ServeMux":           {"/resque", plain("/resque")},
		"ServeMux, deep":     {"/a/b/resque", plain("/a/b/resque")},
		"gorilla":            {"/resque", gorilla},
		"StripPrefix, alone": {"/x", http.StripPrefix("/x", s.dashboard)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			crawl(t, c.prefix, c.handler)
		})
	}
}

// crawl follows all links from the mount.
func crawl(t *testing.T, prefix string, handler http.Handler) {
	t.Helper()
	seen := map[string]bool{}
	odd := false
	todo := []string{prefix + "/"}
	for len(todo) > 0 && len(seen) < 150 {
		at := todo[0]
		todo = todo[1:]
		if seen[at] {
			continue
		}
		seen[at] = true
		a := ask(t, handler, http.MethodGet, at, "")
		require.Equal(t, http.StatusOK, a.Code, at)
		odd = odd || strings.Contains(a.Body.String(), "<h1>a/b c?d#e%f")
		base, err := url.Parse("http://example.com" + at)
		require.NoError(t, err)
		if !strings.HasPrefix(a.Header().Get("Content-Type"), "text/html") {
			continue // a style sheet, a script
		}
		doc := parse(t, a.Body.String())
		for _, address := range []struct{ element, attribute string }{
			{"a", "href"}, {"form", "action"}, {"button", "formaction"}, {"link", "href"}, {"script", "src"},
		} {
			for _, e := range elements(doc, address.element) {
				href := attr(e, address.attribute)
				if href == "" || strings.HasPrefix(href, "#") {
					continue
				}
				to, err := base.Parse(href)
				require.NoError(t, err, "%s on %s", href, at)
				require.True(t, strings.HasPrefix(to.EscapedPath(), prefix+"/"), "%s on %s leads to %s", href, at, to)
				if address.element != "form" && address.element != "button" && !strings.Contains(to.Path, "/stats/keys/") {
					todo = append(todo, to.RequestURI())
				}
			}
		}
	}
	assert.Greater(t, len(seen), 60)
	assert.True(t, odd, "the queue with the odd name was visited")
}

func TestTheMountWithoutItsSlash(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	for _, mount := range []string{"/resque", "/a/b/resque", "/resque?x=1"} {
		prefix, _, _ := strings.Cut(mount, "?")
		a := ask(t, http.StripPrefix(prefix, s.dashboard), http.MethodGet, mount, "")
		assert.Equal(t, http.StatusSeeOther, a.Code)
		base, err := url.Parse("http://example.com" + mount)
		require.NoError(t, err)
		to, err := base.Parse(a.Header().Get("Location"))
		require.NoError(t, err)
		assert.Equal(t, prefix+"/", to.Path)
	}
}

func TestRedirectsAreRelative(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	a := s.post("/queues/exports/pause", "back=queues%3Fq%3Dexp")
	assert.Equal(t, http.StatusSeeOther, a.Code)
	assert.Equal(t, "../../queues?q=exp", a.Header().Get("Location"))
	a = s.post("/queues/a%2Fb/pause", "")
	assert.Equal(t, "../../queues", a.Header().Get("Location"))
	assert.EqualValues(t, 1, s.do("EXISTS", "resque:pause:queue:a/b"), "a slash in a name")
}
