//go:build unix

package main_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// runner starts the processes of a Procfile.
type runner struct {
	name string
	args func(port string) []string
}

func runners() []runner {
	return []runner{
		{"foreman", func(port string) []string { return []string{"start", "-p", port, "-t", "60"} }},
		{"goreman", func(port string) []string { return []string{"-b", port, "-rpc-server=false", "start"} }},
	}
}

// TestProcfileRunsWithForemanAndGoreman uses the repository's Procfile and .env, with
// another REDIS_URL.
func TestProcfileRunsWithForemanAndGoreman(t *testing.T) {
	t.Parallel()
	for _, r := range runners() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			conn := s.Conn(t)
			port := redistest.FreePort(t)
			f := startFormation(t, s, r.name, r.args(port)...)
			url := "http://127.0.0.1:" + port + "/exports"
			f.eventually(t, "both processes are up", func() bool {
				return status(url) == http.StatusOK && len(workers(t, conn)) == 1
			})

			f.create(t, url)
			f.eventually(t, "the export is done", func() bool { return show(t, url+"/1").Complete })
			resp, err := http.Get(url + "/1/download") //nolint:gosec // our own
			require.NoError(t, err)
			defer resp.Body.Close()
			records, err := csv.NewReader(resp.Body).ReadAll()
			require.NoError(t, err)
			assert.Len(t, records, 10_001)
			assert.FileExists(t, filepath.Join(f.dir, "tmp/demo/demo.sqlite3"), "the DATABASE_URL of .env")

			f.terminate(t)
			assert.Empty(t, workers(t, conn), "workers are still registered")
			failed, err := redis.Int(conn.Do("LLEN", "resque:failed"))
			require.NoError(t, err)
			assert.Zero(t, failed)
		})
	}
}

func TestFormationSharesTheWork(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	conn := s.Conn(t)
	port := redistest.FreePort(t)
	f := startFormation(t, s, "foreman", "start", "-p", port, "-t", "60", "-m", "web=1,resque=3")
	url := "http://127.0.0.1:" + port + "/exports"
	f.eventually(t, "all processes are up", func() bool { return status(url) == http.StatusOK && len(workers(t, conn)) == 3 })
	const exports = 6
	for range exports {
		f.create(t, url)
	}
	did := map[string]int{}
	f.eventually(t, "all exports are done", func() bool {
		for _, id := range workers(t, conn) {
			n, err := redis.Int(conn.Do("GET", "resque:stat:processed:"+id))
			if err == nil {
				did[id] = n
			}
		}
		for id := 1; id <= exports; id++ {
			if show(t, fmt.Sprintf("%s/%d", url, id)).State != "ready" {
				return false
			}
		}
		return true
	})
	assert.Greater(t, len(did), 1, "jobs by worker: %v", did)
	f.terminate(t)
}

// On a machine without other load, the job is back in its queue before foreman kills the
// processes, 5 s after TERM. Here foreman waits longer.
func TestFormationReturnsTheRunningJobOnStop(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	conn := s.Conn(t)
	port := redistest.FreePort(t)
	f := startFormation(t, s, "foreman", "start", "-p", port, "-t", "60")
	url := "http://127.0.0.1:" + port + "/exports"
	f.eventually(t, "both processes are up", func() bool { return status(url) == http.StatusOK && len(workers(t, conn)) == 1 })
	f.create(t, url)
	f.eventually(t, "the export has begun", func() bool { return show(t, url+"/1").State == "building" })
	f.terminate(t)
	queued, err := redis.Strings(conn.Do("LRANGE", "resque:queue:exports", 0, -1))
	require.NoError(t, err)
	assert.Equal(t, []string{`{"class":"Exporter","args":[1]}`}, queued)
}

func TestFormationWithoutRedisExplainsTheError(t *testing.T) {
	t.Parallel()
	f := startFormation(t, &redistest.Server{URL: "redis://127.0.0.1:1"}, "foreman", "start", "-p", redistest.FreePort(t), "-t", "60")
	select {
	case <-f.ended:
	case <-time.After(patience):
		require.Fail(t, "it did not stop", "%s", f.said)
	}
	assert.Regexp(t, `\.1 +\| .*127\.0\.0\.1:1`, f.said.String())
	assert.Contains(t, f.said.String(), "Start one with 'redis-server', or correct the host and the port.")
	assert.Contains(t, f.said.String(), "The address is from REDIS_URL.")
	assert.Empty(t, f.left(t))
}

// formation is a runner and the processes it started.
type formation struct {
	dir, bin string
	cmd      *exec.Cmd
	said     *log
	ended    chan struct{} // closed when err is set
	err      error
}

// startFormation runs the repository's Procfile and .env with the Redis s, in a new
// directory and with goresque on the PATH.
func startFormation(t *testing.T, s *redistest.Server, name string, args ...string) *formation {
	t.Helper()
	path, err := exec.LookPath(name)
	redistest.Require(t, name, err == nil)
	f := &formation{dir: t.TempDir(), bin: build(t), said: &log{}, ended: make(chan struct{})}
	procfile, err := os.ReadFile("../../Procfile")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(f.dir, "Procfile"), procfile, 0o600))
	env, err := os.ReadFile("../../.env")
	require.NoError(t, err)
	const standard = "REDIS_URL=redis://127.0.0.1:6379\n"
	require.Contains(t, string(env), standard)
	env = bytes.Replace(env, []byte(standard), []byte("REDIS_URL="+s.URL+"\n"), 1)
	require.NoError(t, os.WriteFile(filepath.Join(f.dir, ".env"), env, 0o600))

	f.cmd = exec.Command(path, args...)
	f.cmd.Dir, f.cmd.Stdout, f.cmd.Stderr = f.dir, f.said, f.said
	f.cmd.Env = []string{"PATH=" + filepath.Dir(f.bin) + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LANG=C.UTF-8"}
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, f.cmd.Start())
	go func() {
		f.err = f.cmd.Wait()
		close(f.ended)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-f.cmd.Process.Pid, syscall.SIGKILL)
		<-f.ended
	})
	return f
}

func (f *formation) eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 50*time.Millisecond, "%s\n%s", what, f.said)
}

// create creates an export, as the page's button does.
func (f *formation) create(t *testing.T, url string) {
	t.Helper()
	resp, err := http.Post(url, "", nil) //nolint:gosec // our own
	require.NoError(t, err, "%s", f.said)
	resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", f.said)
}

// terminate sends TERM to the whole process group, as a platform does. It checks that
// the exit status is 0 and that no process is left.
func (f *formation) terminate(t *testing.T) {
	t.Helper()
	require.NoError(t, syscall.Kill(-f.cmd.Process.Pid, syscall.SIGTERM))
	select {
	case <-f.ended:
		require.NoError(t, f.err, "%s", f.said)
	case <-time.After(patience):
		require.Fail(t, "it did not end", "%s", f.said)
	}
	assert.Empty(t, f.left(t), "%s", f.said)
	assert.NotContains(t, f.said.String(), "SIGKILL")
	assert.NotContains(t, f.said.String(), "panic")
}

// left returns the processes of this test's command that still run. It works only on
// Linux.
func (f *formation) left(t *testing.T) (left []string) {
	t.Helper()
	exes, err := filepath.Glob("/proc/[0-9]*/exe")
	require.NoError(t, err)
	for _, exe := range exes {
		if program, err := os.Readlink(exe); err == nil && strings.HasPrefix(program, f.bin) {
			left = append(left, exe)
		}
	}
	return left
}

func status(url string) int {
	resp, err := http.Get(url) //nolint:gosec // our own
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func workers(t *testing.T, conn redis.Conn) []string {
	t.Helper()
	ids, err := redis.Strings(conn.Do("SMEMBERS", "resque:workers"))
	require.NoError(t, err)
	return ids
}

// log collects the output of processes that run.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
