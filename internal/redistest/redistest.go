// Package redistest gives tests a Redis of their own: a redis-server where one
// is installed, the embedded one where not. Each test starts its own, which takes
// some 20 ms, so that tests may stop, fill or damage it.
package redistest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
)

// Require skips a test whose tool is missing, naming it. Where GORESQUE_REQUIRE
// lists the tool, as in CI, a missing one fails the test instead.
func Require(t testing.TB, tool string, have bool) {
	t.Helper()
	if have {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("GORESQUE_REQUIRE"), ","), tool) {
		t.Fatalf("%s is missing, and GORESQUE_REQUIRE wants it", tool)
	}
	t.Skipf("%s is missing", tool)
}

// Server is a Redis for one test.
type Server struct {
	URL  string
	Real bool // a redis-server, not the embedded one
	PID  int  // of a redis-server

	embedded bool
}

// Start runs a server that ends with the test: a redis-server where one is
// installed, else the embedded one.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if path, err := exec.LookPath("redis-server"); err == nil {
		return startReal(t, path, args)
	}
	Require(t, "redis", !required("redis"))
	return StartEmbedded(t)
}

// StartReal runs a redis-server with args, or skips the test.
func StartReal(t testing.TB, args ...string) *Server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	Require(t, "redis", err == nil)
	return startReal(t, path, args)
}

// StartEmbedded runs the embedded server.
func StartEmbedded(t testing.TB) *Server {
	t.Helper()
	s, err := embedded.Start("")
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return &Server{URL: s.URL(), embedded: true}
}

// Both runs a test against each kind of server.
func Both(t *testing.T, test func(t *testing.T, s *Server)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, StartEmbedded(t))
	})
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		test(t, StartReal(t))
	})
}

// Open returns a Redis on s that is closed with the test.
func (s *Server) Open(t testing.TB) *resque.Redis {
	t.Helper()
	return s.OpenWithin(t, 0)
}

// OpenWithin is Open with a read timeout; 0 is the usual one.
func (s *Server) OpenWithin(t testing.TB, readTimeout time.Duration) *resque.Redis {
	t.Helper()
	cfg := resque.RedisConfig{URL: s.URL, ReadTimeout: readTimeout}
	if s.embedded && readTimeout == 0 { // its Lua is slow, and much slower with the race detector on a busy machine
		cfg.ReadTimeout = time.Minute
	}
	rdb, err := resque.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rdb.Close()) })
	return rdb
}

// Client returns a client on s that is closed with the test.
func (s *Server) Client(t testing.TB) *resque.Client {
	t.Helper()
	client, err := resque.New(s.Open(t), resque.Config{})
	require.NoError(t, err)
	return client
}

func required(tool string) bool {
	return slices.Contains(strings.Split(os.Getenv("GORESQUE_REQUIRE"), ","), tool)
}

// startReal waits for the server's own word that it listens. Port 0 is none to
// redis-server, so a free one is asked for; another process may take it first,
// and then the next one is tried.
func startReal(t testing.TB, path string, args []string) *Server {
	t.Helper()
	var last error
	for range 5 {
		s, err := tryReal(t, path, args)
		if err == nil {
			return s
		}
		last = err
	}
	require.NoError(t, last)
	return nil
}

func tryReal(t testing.TB, path string, args []string) (*Server, error) {
	t.Helper()
	port := FreePort(t)
	dir := t.TempDir()
	all := append([]string{
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", dir,
	}, args...)
	cmd := exec.Command(path, all...) //nolint:noctx // it ends with the test, by its process
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	var said strings.Builder
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "eady to accept connections") {
			go func() { // the pipe must not fill up
				for lines.Scan() {
				}
			}()
			return &Server{URL: "redis://127.0.0.1:" + port, Real: true, PID: cmd.Process.Pid}, nil
		}
	}
	return nil, fmt.Errorf("redis-server ended before it listened:\n%s", &said)
}

// FreePort is a port on loopback that nobody listens on now.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}
