//go:build unix

// Package exec_test runs the jobs of this directory.
package exec_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// TestMain runs the tests, or the command for a test that starts it.
func TestMain(m *testing.M) {
	if os.Getenv("EXAMPLE_COMMAND") != "" {
		os.Exit(cli.Main(cli.App{}))
	}
	os.Exit(m.Run())
}

// perform enqueues a job for each args, performs them with a command, as the comments
// in the examples show, and returns the failures.
func perform(t *testing.T, class, command string, args ...[]any) []string {
	t.Helper()
	s := redistest.Start(t)
	for _, a := range args {
		_, err := s.Client(t).Enqueue(t.Context(), resque.Job{Queue: "q", Class: class, Args: a})
		require.NoError(t, err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "work", "--queue", "q", "--interval", "0", "--exec", class+"="+command)
	cmd.Env = append(os.Environ(), "EXAMPLE_COMMAND=1", "REDIS_URL="+s.URL)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	failed, err := redis.Strings(s.Conn(t).Do("LRANGE", "resque:failed", 0, -1))
	require.NoError(t, err)
	return failed
}

func TestArchivePacksADirectory(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sed", "tar", "gzip"} { // these are not part of coreutils
		_, err := exec.LookPath(name)
		redistest.Require(t, name, err == nil)
	}
	dir := filepath.Join(t.TempDir(), "app")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a log"), []byte("text"), 0o600))
	failed := perform(t, "Archive", "./archive.sh", []any{dir}, []any{dir, 2})
	assert.FileExists(t, dir+".tar.gz")
	require.Len(t, failed, 1)
	assert.Contains(t, failed[0], `"exception":"ExitError","error":"want one directory, got [`)
}

func TestTotalAddsNumbers(t *testing.T) {
	t.Parallel()
	_, err := exec.LookPath("ruby")
	redistest.Require(t, "ruby", err == nil)
	path := filepath.Join(t.TempDir(), "total.txt")
	failed := perform(t, "Total", "ruby total.rb", []any{path, []any{1, 2, 3.5}}, []any{path, "many"})
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "6.5\n", string(text))
	require.Len(t, failed, 1)
	assert.Contains(t, failed[0], `not a list of numbers: \"many\" (ArgumentError)"`)
}
