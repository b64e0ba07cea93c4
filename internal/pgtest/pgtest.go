// Package pgtest gives tests a PostgreSQL of their own, where it is installed.
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

// Password is what the server's only user, ann, has to say.
const Password = "s3cret"

// Start runs a server that ends with the test, and returns the URL of its empty
// database, password included. Where PostgreSQL is missing the test is skipped,
// or fails if GORESQUE_REQUIRE has the word postgres.
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

// programs is the directory of initdb and postgres, of the newest version that
// Debian's packages have put there, or that are on the PATH.
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
	n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // 0 for what is no number
	return n
}

// server is a PostgreSQL in a directory.
type server struct {
	bin, dir string
	as       *syscall.SysProcAttr
}

// initialize makes a database cluster in a directory that only the server's
// account can read, which is why it is not the test's own.
func (s *server) initialize(t testing.TB) {
	t.Helper()
	dir, err := os.MkdirTemp("", "goresque-postgres-") //nolint:usetesting // that of the test is closed to other accounts
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	s.dir = dir
	password := filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(password, []byte(Password+"\n"), 0o600))
	s.give(t, dir, password)
	cmd := s.command("initdb", "--pgdata="+s.data(), "--username=ann", "--pwfile="+password,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

func (s *server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...) //nolint:noctx // it ends with the test, by its process
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.SysProcAttr = s.as
	return cmd
}

// start waits for the server's own word that it listens.
func (s *server) start(t testing.TB, port string) error {
	t.Helper()
	cmd := s.command("postgres", "-D", s.data(), "-p", port, "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=50")
	log, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT) // at once, its children too
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(log)
	var said strings.Builder
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "ready to accept connections") {
			go func() { // the pipe must not fill up
				for lines.Scan() {
				}
			}()
			return nil
		}
	}
	return fmt.Errorf("postgres ended before it listened:\n%s", &said)
}
