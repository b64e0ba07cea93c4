package web_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

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
