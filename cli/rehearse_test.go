package cli

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// Another worker's pid file stays unchanged until this one starts.
func TestTryPIDFileKeepsContent(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "worker.pid")
	require.NoError(t, os.WriteFile(file, []byte("4212"), 0o600))
	require.NoError(t, tryPIDFile(file))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "4212", string(text))
	require.Error(t, tryPIDFile(filepath.Join(file, "below")))
}

// A worker that is not registered is not ready, even if Redis answers. At the end the
// address is free again.
func TestHealthOfAWorkerThatIsNotRegistered(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	client := s.Client(t)
	w, err := worker.New(client, resque.NewMux(), worker.Config{Queues: []string{"q"}})
	require.NoError(t, err)
	addr := net.JoinHostPort("127.0.0.1", redistest.FreePort(t))
	end, err := serveHealth(t.Context(), addr, ofWorker(client, w))
	require.NoError(t, err)
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable} {
		resp, err := http.Get("http://" + addr + path)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, want, resp.StatusCode, "%s: %s", path, body)
	}
	end()
	require.NoError(t, redistest.Listen(t, addr).Close(), "the address is free")
}
