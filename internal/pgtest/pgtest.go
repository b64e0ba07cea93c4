// Package pgtest starts a PostgreSQL server for a test, if PostgreSQL is
// installed.
package pgtest

import (
	"bufio"
	"cmp"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// Password is the password of the server's only user, ann.
const Password = "s3cret"

// Start runs a server until the test ends and returns the URL of its empty
// database, with the password. If PostgreSQL is missing, it skips the test, or
// fails it if GORESQUE_REQUIRE lists postgres.
func Start(t testing.TB) string {
	t.Helper()
	bin, ok := programs()
	redistest.Require(t, "postgres", ok)
	as, ok := account()
	redistest.Require(t, "postgres", ok)
	s := &server{bin: bin, as: as}
	s.initialize(t)
	var last error
	for range 5 { // another process may take the port first
		port := redistest.FreePort(t)
		if last = s.start(t, port); last == nil {
			at := url.URL{Scheme: "postgres", User: url.UserPassword("ann", Password), Host: "127.0.0.1:" + port, Path: "/postgres"}
			return at.String()
		}
	}
	require.NoError(t, last)
	return ""
}

// programs returns the directory of initdb and postgres: of the newest version
// that Debian's packages have installed, or else of the one on the PATH.
func programs() (dir string, ok bool) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is right
	slices.SortFunc(found, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
	if len(found) > 0 {
		return filepath.Dir(found[0]), true
	}
	path, err := exec.LookPath("initdb")
	return filepath.Dir(path), err == nil
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // 0 if it is not a number
	return n
}

// server is a PostgreSQL server with its data in a directory.
type server struct {
	bin, dir string
	as       *syscall.SysProcAttr
}

// initialize creates a database cluster. Its directory is not in t.TempDir, which
// the server's account cannot read.
func (s *server) initialize(t testing.TB) {
	t.Helper()
	dir, err := os.MkdirTemp("", "goresque-postgres-") //nolint:usetesting // the server's account cannot read t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	s.dir = dir
	password := filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(password, []byte(Password+"\n"), 0o600))
	s.chown(t, dir, password)
	cmd := s.command("initdb", "--pgdata="+s.data(), "--username=ann", "--pwfile="+password,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

func (s *server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...) //nolint:noctx // a cleanup ends it
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.SysProcAttr = s.as
	return cmd
}

// start runs the server and waits until it logs that it accepts connections.
func (s *server) start(t testing.TB, port string) error {
	t.Helper()
	cmd := s.command("postgres", "-D", s.data(), "-p", port, "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=50")
	log, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT) // an immediate stop, which also ends its children
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(log)
	var output strings.Builder
	for lines.Scan() {
		output.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "ready to accept connections") {
			go func() { // the pipe must not fill up
				for lines.Scan() {
				}
			}()
			return nil
		}
	}
	return fmt.Errorf("postgres exited before it accepted connections:\n%s", &output)
}
