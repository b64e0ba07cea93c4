package site

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func testSite(t *testing.T, log *strings.Builder, hosts ...string) *Site {
	t.Helper()
	layout := fstest.MapFS{"templates/layout/layout.html": {Data: []byte(`{{define "layout"}}<title>{{template "title" .}}</title>{{template "main" .}}{{end}}`)}}
	s, err := New(Config{Hosts: hosts, Log: slog.New(slog.NewTextHandler(log, nil)), Files: []fs.FS{layout}})
	require.NoError(t, err)
	return s
}

func TestProtectRefusesOtherHosts(t *testing.T) {
	t.Parallel()
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	answer := func(s *Site, host string) int {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Host = host
		rec := httptest.NewRecorder()
		s.Protect(ok).ServeHTTP(rec, req)
		return rec.Code
	}
	own := testSite(t, &strings.Builder{}, "localhost", "127.0.0.1", "::1", "me.test")
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:3000": 200, "127.0.0.1:3000": 200, "[::1]:3000": 200, "[::1]": 200, "me.test:1": 200,
		"evil.example": 403, "evil.example:3000": 403, "127.0.0.1.evil.example": 403, "": 403,
	} {
		assert.Equal(t, want, answer(own, host), "Host: %q", host)
	}
	assert.Equal(t, 200, answer(testSite(t, &strings.Builder{}), "anything.example"), "without Hosts every name is accepted")
}

func TestCookiesAreHTTPOnlyAndSecureOverTLS(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if secure {
			r.TLS = &tls.ConnectionState{}
		}
		rec := httptest.NewRecorder()
		SetFlash(rec, r, "created")
		cookies := rec.Result().Cookies()
		require.Len(t, cookies, 1)
		assert.Equal(t, "created", cookies[0].Value)
		r.AddCookie(cookies[0])

		rec = httptest.NewRecorder()
		assert.Equal(t, "created", TakeFlash(rec, r))
		taken := rec.Result().Cookies()
		require.Len(t, taken, 1)
		assert.Negative(t, taken[0].MaxAge, "TakeFlash does not remove the cookie")
		assert.Empty(t, taken[0].Value)
		for _, c := range append(cookies, taken...) {
			assert.Equal(t, secure, c.Secure)
			assert.True(t, c.HttpOnly)
			assert.Equal(t, http.SameSiteLaxMode, c.SameSite)
			assert.Equal(t, "/", c.Path)
		}
	}
	rec := httptest.NewRecorder()
	assert.Empty(t, TakeFlash(rec, httptest.NewRequest(http.MethodGet, "/", nil)))
	assert.Empty(t, rec.Result().Cookies(), "TakeFlash removed a cookie that does not exist")
}

func TestErrorsArePages(t *testing.T) {
	t.Parallel()
	cause := errors.New("the secret cause")
	for name, c := range map[string]struct {
		err    error
		status int
		page   []string
		json   string
		logged bool
	}{
		"caused by the visitor": {&Error{Status: 409, Title: "Too early", Text: "Wait.", See: "/exports/7"}, 409, []string{"<h1>Too early</h1>", "Wait.", `href="/exports/7"`}, `{"error":"Wait.","url":"/exports/7"}`, false},
		"with a cause":          {&Error{Status: 503, Title: "Away", Text: "Try again.", Retry: "/again", Cause: cause}, 503, []string{"Away", `action="/again"`, "Try again</button>"}, `{"error":"Try again."}`, true},
		"gone":                  {&Error{Status: 410, Title: "Gone", Text: "Gone.", Retry: "/again"}, 410, []string{"Create again</button>"}, `{"error":"Gone."}`, false},
		"unexpected":            {cause, 500, []string{"Something went wrong"}, `{"error":"This is our fault, not yours. The cause is in the log; please try again."}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			h := testSite(t, &log).Handle(func(http.ResponseWriter, *http.Request) error { return c.err })
			ask := func(accept string) *httptest.ResponseRecorder {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Header.Set("Accept", accept)
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, r)
				assert.Equal(t, c.status, rec.Code)
				assert.NotContains(t, rec.Body.String(), "secret")
				return rec
			}
			page := ask("text/html")
			for _, want := range c.page {
				assert.Contains(t, page.Body.String(), want)
			}
			assert.Equal(t, c.json+"\n", ask("application/json").Body.String())
			assert.Equal(t, c.logged, strings.Contains(log.String(), "the secret cause"), log.String())
		})
	}
}

func TestRenderWritesNothingAfterAnError(t *testing.T) {
	t.Parallel()
	s := testSite(t, &strings.Builder{})
	rec := httptest.NewRecorder()
	require.Error(t, s.Render(rec, http.StatusOK, "error.html", struct{ Title string }{"half"}))
	assert.Empty(t, rec.Body.String())
}

func TestServeLetsRunningRequestsFinish(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	h := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		stop()
		for { // until the listener is closed
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				break
			}
			conn.Close()
		}
		assert.NoError(t, r.Context().Err())
		_, _ = rw.Write([]byte("whole"))
	})
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, h, slog.New(slog.DiscardHandler)) }()
	resp, err := http.Get("http://" + l.Addr().String())
	require.NoError(t, err)
	defer resp.Body.Close()
	body := make([]byte, 10)
	n, _ := resp.Body.Read(body)
	assert.Equal(t, "whole", string(body[:n]))
	require.NoError(t, <-ended)
}
