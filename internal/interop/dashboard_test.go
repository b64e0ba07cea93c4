package interop_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

// The test visits the paths of Ruby's front end, and then all pages that are
// linked from them.
func TestDashboardRendersRubysKeyspace(t *testing.T) {
	t.Parallel()
	server := start(t)
	id := strings.TrimSpace(ruby(t, server, "fill.rb"))
	dashboard, err := web.New(server.Client(t), web.Config{Auth: web.AllowEveryone()})
	require.NoError(t, err)
	todo := []string{
		"/", "/overview", "/overview/", "/overview.poll", "/queues", "/queues/exports?start=0", "/queues/a%2Fb%20c", "/working", "/working/" + url.PathEscape(id),
		"/workers", "/workers/all", "/workers.poll", "/workers/" + url.PathEscape(id), "/workers/other-host", "/failed", "/failed?start=0&class=Broken&order=asc",
		"/failed/failed", "/failed/requeue/0", "/failed/remove/1", "/stats", "/stats/resque", "/stats/redis", "/stats/keys", "/stats.txt",
	}
	seen := map[string]string{}
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		if _, done := seen[path]; done || strings.Contains(path, "/assets/") {
			continue
		}
		w := httptest.NewRecorder()
		dashboard.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		require.Equal(t, http.StatusOK, w.Code, path)
		seen[path] = w.Body.String()
		at, err := url.Parse("http://dashboard" + path)
		require.NoError(t, err)
		for _, href := range regexp.MustCompile(`<a [^>]*href="([^"#]*)"`).FindAllStringSubmatch(w.Body.String(), -1) {
			to, err := at.Parse(strings.ReplaceAll(href[1], "&amp;", "&"))
			require.NoError(t, err)
			todo = append(todo, to.RequestURI())
		}
	}
	assert.Greater(t, len(seen), 40)
	assert.Contains(t, seen["/failed"], "no export 3 &lt;b&gt;ü&lt;/b&gt;")
	assert.Contains(t, seen["/failed"], "ArgumentError")
	assert.Contains(t, seen["/failed"], ">retried<")
	assert.Contains(t, seen["/working"], ">Fine<")
	assert.Contains(t, seen["/workers"], ">17</a>")
	assert.Contains(t, seen["/queues/a%2Fb%20c"], "Elsewhere")
	// Ruby counts each job that ended as processed.
	assert.Contains(t, seen["/stats.txt"], "resque.processed+=")
	assert.Contains(t, seen["/stats.txt"], "resque.failed+=2\nresque.workers=2\nresque.working=1")
}
