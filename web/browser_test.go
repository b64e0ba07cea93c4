package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/browsertest"
	"github.com/goresque/goresque/internal/redistest"
)

// run runs actions in the browser.
func run(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) { //nolint:revive // it is t's helper
	t.Helper()
	browsertest.Do(t, ctx, actions...)
}

// listen serves the dashboard at /resque/ on a free port.
func (s *site) listen() string {
	s.t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/resque/", http.StripPrefix("/resque", s.dashboard))
	server := httptest.NewServer(mux)
	s.t.Cleanup(server.Close)
	return server.URL + "/resque"
}

func writeFile(t *testing.T, name string, body []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, body, 0o644))
}

// complaint returns the error that a browser event reports, or "".
func complaint(ev any) string {
	switch e := ev.(type) {
	case *log.EventEntryAdded:
		return e.Entry.Text
	case *runtime.EventExceptionThrown:
		return e.ExceptionDetails.Text
	}
	return ""
}

// proxied returns a Redis behind a slow proxy.
type proxied struct {
	server, slow *redistest.Server
	proxy        *redistest.Proxy
}

func startProxied(t *testing.T) proxied {
	t.Helper()
	server := redistest.Start(t)
	proxy := server.Proxy(t)
	return proxied{server, &redistest.Server{URL: proxy.URL}, proxy}
}
