// Package redistest starts a Redis server for a test: the program in GORESQUE_SERVER, a
// redis-server if one is installed, else the embedded server. Each test starts its own server, which
// takes about 20 ms, so that it may stop, fill or damage it.
package redistest

import (
	"bufio"
	"cmp"
	"fmt"
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

// Require skips the test unless have is true. If GORESQUE_REQUIRE lists the tool,
// as in CI, it fails the test instead.
func Require(t testing.TB, tool string, have bool) {
	t.Helper()
	if have {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("GORESQUE_REQUIRE"), ","), tool) {
		t.Fatalf("%s is missing, but GORESQUE_REQUIRE lists it", tool)
	}
	t.Skipf("%s is missing", tool)
}

// Server is a Redis server for one test.
type Server struct {
	URL  string
	Real bool // a redis-server, not the embedded server
	PID  int  // of a redis-server
}

// Start runs a server until the test ends: a redis-server if one is installed,
// else the embedded server. Only a redis-server uses args.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if path, err := serverPath(t); err == nil {
		return startReal(t, path, args)
	}
	Require(t, "redis", !required("redis"))
	return StartEmbedded(t)
}

// StartReal runs a redis-server with args until the test ends. If none is
// installed, it skips the test.
func StartReal(t testing.TB, args ...string) *Server {
	t.Helper()
	path, err := serverPath(t)
	Require(t, "redis", err == nil)
	return startReal(t, path, args)
}

// serverPath returns the path of the server for tests: that in GORESQUE_SERVER, such as
// valkey-server or another version of Redis, or else redis-server.
func serverPath(t testing.TB) (string, error) {
	t.Helper()
	if other := os.Getenv("GORESQUE_SERVER"); other != "" {
		path, err := exec.LookPath(other)
		require.NoError(t, err, "GORESQUE_SERVER")
		return path, nil
	}
	return exec.LookPath("redis-server") //nolint:wrapcheck // only compared with nil
}

// StartEmbedded runs the embedded server until the test ends.
func StartEmbedded(t testing.TB) *Server {
	t.Helper()
	s, err := embedded.Start("")
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return &Server{URL: s.URL()}
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

// Open returns a Redis on s that is closed when the test ends.
func (s *Server) Open(t testing.TB) *resque.Redis {
	t.Helper()
	return s.OpenWithin(t, 0)
}

// OpenWithin is Open with a read timeout; 0 is a minute. The usual timeouts would end calls on a
// machine that stands still for seconds. Besides, the embedded server's Lua is slow.
func (s *Server) OpenWithin(t testing.TB, readTimeout time.Duration) *resque.Redis {
	t.Helper()
	rdb, err := resque.Open(resque.RedisConfig{
		URL: s.URL, DialTimeout: time.Minute, ReadTimeout: cmp.Or(readTimeout, time.Minute), WriteTimeout: time.Minute,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rdb.Close()) })
	return rdb
}

// Client returns a client on s that is closed when the test ends.
func (s *Server) Client(t testing.TB) *resque.Client {
	t.Helper()
	client, err := resque.New(s.Open(t), resque.Config{})
	require.NoError(t, err)
	return client
}

func required(tool string) bool {
	return slices.Contains(strings.Split(os.Getenv("GORESQUE_REQUIRE"), ","), tool)
}

// startReal runs a redis-server on a free port. It tries several, because another
// process may take the port first. (redis-server does not listen on TCP with port
// 0.)
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

// StartAgain runs a redis-server on the port of one that was killed; args have the port. On
// a busy machine the system may take a while to free it.
func StartAgain(t testing.TB, args ...string) *Server {
	t.Helper()
	path, err := serverPath(t)
	require.NoError(t, err)
	var s *Server
	await(t, func() bool {
		s, err = tryReal(t, path, args)
		return err == nil
	}, "the server does not start again")
	return s
}

func tryReal(t testing.TB, path string, args []string) (*Server, error) {
	t.Helper()
	port := FreePort(t)
	dir := t.TempDir()
	all := append([]string{
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", dir,
	}, args...)
	pid, err := listening(t, path, "eady to accept connections", all...)
	if err != nil {
		return nil, err
	}
	return &Server{URL: "redis://127.0.0.1:" + port, Real: true, PID: pid}, nil
}

// listening starts redis-server, which ends with the test, and waits until its
// log contains word.
func listening(t testing.TB, path, word string, args ...string) (pid int, err error) {
	t.Helper()
	cmd := exec.Command(path, args...) //nolint:noctx // a cleanup ends it
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	var output strings.Builder
	for lines.Scan() {
		output.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), word) {
			go func() { // the pipe must not fill up
				for lines.Scan() {
				}
			}()
			return cmd.Process.Pid, nil
		}
	}
	return 0, fmt.Errorf("redis-server exited before it was ready:\n%s", &output)
}
