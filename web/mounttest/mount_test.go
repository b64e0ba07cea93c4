// Package mounttest mounts the dashboard on common routers, as docs/dashboard.md
// shows. It is a separate module, so that the library does not depend on the routers.
package mounttest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/web"
	"github.com/gorilla/mux"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// routers mount a dashboard below a prefix; "" is the root.
func routers() map[string]func(prefix string, dashboard http.Handler) http.Handler {
	return map[string]func(string, http.Handler) http.Handler{
		"net/http": func(prefix string, dashboard http.Handler) http.Handler {
			m := http.NewServeMux()
			m.Handle(prefix+"/", http.StripPrefix(prefix, dashboard))
			return m
		},
		"gorilla": func(prefix string, dashboard http.Handler) http.Handler {
			r := mux.NewRouter().UseEncodedPath()
			r.PathPrefix(prefix + "/").Handler(http.StripPrefix(prefix, dashboard))
			return r
		},
		"chi": func(prefix string, dashboard http.Handler) http.Handler {
			r := chi.NewRouter()
			r.Mount(prefix+"/", http.StripPrefix(prefix, dashboard))
			return r
		},
		"echo": func(prefix string, dashboard http.Handler) http.Handler {
			e := echo.New()
			e.Any(prefix+"/*", echo.WrapHandler(http.StripPrefix(prefix, dashboard)))
			return e
		},
		"gin": func(prefix string, dashboard http.Handler) http.Handler {
			gin.SetMode(gin.ReleaseMode)
			r := gin.New()
			r.Any(prefix+"/*path", gin.WrapH(http.StripPrefix(prefix, dashboard)))
			return r
		},
	}
}

const oddQueue = "a/b c?d#e%f"

// fill adds data of each kind, and names that a path must escape.
func fill(t *testing.T, server *redistest.Server) {
	t.Helper()
	c := server.Conn(t)
	for _, words := range [][]any{
		{"SADD", "resque:queues", "exports", oddQueue},
		{"RPUSH", "resque:queue:" + oddQueue, `{"class":"Odd","args":[]}`},
		{"SADD", "resque:workers", "web-1.prod:4212:*"},
		{"RPUSH", "resque:failed", `{"failed_at":"2026/01/15 12:00:00 UTC","payload":{"class":"A","args":[1]},"exception":"E","error":"no","backtrace":[],"worker":"w","queue":"exports"}`},
	} {
		_, err := c.Do(words[0].(string), words[1:]...)
		require.NoError(t, err)
	}
}

// Every link of every page leads below the mount and to a page, an asset or a form.
// Forms lead back to a page. Names with a slash arrive.
func TestMounts(t *testing.T) {
	t.Parallel()
	for name, mount := range routers() {
		for _, prefix := range []string{"", "/resque", "/a/b/resque"} {
			t.Run(name+" at "+prefix+"/", func(t *testing.T) {
				t.Parallel()
				server := redistest.Start(t)
				fill(t, server)
				dashboard, err := web.New(server.Client(t), web.Config{Auth: web.AllowEveryone()})
				require.NoError(t, err)
				visit(t, mount(prefix, dashboard), prefix)
			})
		}
	}
}

func visit(t *testing.T, handler http.Handler, prefix string) {
	t.Helper()
	site := httptest.NewServer(handler)
	t.Cleanup(site.Close)
	seen, forms := map[string]bool{}, map[string]bool{}
	odd := false
	for todo := []string{site.URL + prefix + "/"}; len(todo) > 0 && len(seen) < 60; todo = todo[1:] {
		if seen[todo[0]] {
			continue
		}
		seen[todo[0]] = true
		status, body, _ := ask(t, http.MethodGet, todo[0], "")
		require.Equal(t, http.StatusOK, status, todo[0])
		odd = odd || strings.Contains(body, "<h1>"+oddQueue)
		at, err := url.Parse(todo[0])
		require.NoError(t, err)
		pages, posts := addresses(t, at, body)
		for _, to := range append(pages, posts...) {
			require.True(t, strings.HasPrefix(to.EscapedPath(), prefix+"/"), "%s leads to %s", at, to)
		}
		for _, to := range pages {
			to.Fragment = ""
			todo = append(todo, to.String())
		}
		for _, to := range posts {
			forms[to.String()] = true
		}
	}
	assert.Greater(t, len(seen), 15)
	assert.True(t, odd, "the queue with the odd name was visited")
	for _, path := range []string{"exports", url.PathEscape(oddQueue)} {
		address := site.URL + prefix + "/queues/" + path + "/pause"
		assert.True(t, forms[address], "a form for %s exists", address)
		status, body, header := ask(t, http.MethodPost, address, "back=queues")
		require.Equal(t, http.StatusSeeOther, status, "%s: %.200s", address, body)
		at, err := url.Parse(address)
		require.NoError(t, err)
		to, err := at.Parse(header.Get("Location"))
		require.NoError(t, err)
		assert.Equal(t, prefix+"/queues", to.Path)
	}
}

func ask(t *testing.T, method, address, form string) (status int, body string, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form))
	require.NoError(t, err)
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }() // the body was read
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(text), answer.Header
}

// addresses returns the addresses of a page's links and forms.
func addresses(t *testing.T, at *url.URL, page string) (pages, posts []*url.URL) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	for n := range doc.Descendants() {
		attributes := map[string]string{}
		for _, a := range n.Attr {
			attributes[a.Key] = a.Val
		}
		address := attributes["href"] + attributes["src"] + attributes["formaction"]
		if n.Data == "form" && attributes["method"] == "post" {
			address = attributes["action"]
		}
		if n.Type != html.ElementNode || address == "" || strings.HasPrefix(address, "#") {
			continue
		}
		to, err := at.Parse(address)
		require.NoError(t, err)
		if n.Data == "form" || n.Data == "button" {
			posts = append(posts, to)
		} else if !strings.Contains(to.Path, "/stats/keys/") {
			pages = append(pages, to)
		}
	}
	return pages, posts
}
