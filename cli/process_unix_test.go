//go:build unix

package cli_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// command returns the test binary as goresque, with environ added.
func command(environ []string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), "CLI_TEST_COMMAND=1"), environ...)
	return cmd
}

func slots(t *testing.T, s *redistest.Server) int {
	t.Helper()
	n, err := redis.Int(s.Conn(t).Do("SCARD", "resque:workers"))
	require.NoError(t, err)
	return n
}

func TestWorkersRunsSeveralAndForwardsSignals(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	cmd := command([]string{"REDIS_URL=" + s.URL, "QUEUE=slow", "COUNT=3"}, "workers", "--concurrency", "2")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	eventually(t, func() bool { return slots(t, s) == 6 }, "three workers of two slots")
	ids, err := redis.Strings(s.Conn(t).Do("SMEMBERS", "resque:workers"))
	require.NoError(t, err)
	for _, id := range ids {
		digits, _, _ := strings.Cut(strings.Split(id, ":")[1], "-")
		pid, err := strconv.Atoi(digits)
		require.NoError(t, err)
		group, err := syscall.Getpgid(pid)
		require.NoError(t, err)
		assert.Equal(t, pid, group, "only this process forwards a signal to the group")
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	assert.Zero(t, slots(t, s))
}

func TestWorkersDoNotShareAnAddress(t *testing.T) {
	t.Parallel()
	cmd := command(nil, "workers", "-q", "a", "--count", "2", "--health", "127.0.0.1:0", "-r", "127.0.0.1:1")
	out, _ := cmd.CombinedOutput()
	assert.Equal(t, 2, cmd.ProcessState.ExitCode())
	assert.Contains(t, string(out), "only one process can listen")
}

func TestWorkersLogsAProcessThatEnds(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	cmd := command([]string{"REDIS_URL=" + s.URL, "QUEUE=slow", "COUNT=2"}, "workers")
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	eventually(t, func() bool { return slots(t, s) == 2 }, "two workers")
	ids, err := redis.Strings(s.Conn(t).Do("SMEMBERS", "resque:workers"))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.Split(ids[0], ":")[1])
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	late := time.AfterFunc(patience, func() { _ = stderr.Close() })
	defer late.Stop()
	told := false
	for lines := bufio.NewScanner(stderr); !told && lines.Scan(); {
		told = strings.Contains(lines.Text(), "worker process ended and is not replaced") && strings.Contains(lines.Text(), "signal: killed")
	}
	assert.True(t, told, "while the other process works")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	_, _ = io.Copy(io.Discard, stderr)
	require.Error(t, cmd.Wait())
}

// Each command is passed on as one flag, including commas and quotes.
func TestWorkersPassesExecFlagsOn(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL, "QUEUE=shell", "INTERVAL=0"}
	ok(t, environ, "enqueue", "-q", "shell", "One", "1")
	ok(t, environ, "enqueue", "-q", "shell", "Two", "2")
	out, err := command(environ, "workers", "--exec", `One=echo "one, $RESQUE_ARGS"`, "--exec", "Two=echo two").CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "one, [1]\n")
	assert.Contains(t, string(out), "two\n")
}

// In every spelling of the flag, the process in the background must not start another
// one in the background.
func TestBackgroundOnce(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--background", "--background=true", "--background=1"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			out, err := command([]string{"REDIS_URL=" + s.URL, "QUEUE=slow"}, "work", flag).CombinedOutput()
			require.NoError(t, err, string(out))
			eventually(t, func() bool { return slots(t, s) == 1 }, "the worker in the background")
			id, err := redis.Strings(s.Conn(t).Do("SMEMBERS", "resque:workers"))
			require.NoError(t, err)
			pid := strings.Split(id[0], ":")[1]
			assert.Equal(t, "working in the background as process "+pid+"\n", string(out))
			requireDetached(t, pid)
			ok(t, []string{"REDIS_URL=" + s.URL}, "kill", id[0])
		})
	}
}

// requireDetached checks that a process leads its own session, so that it outlives
// the terminal.
func requireDetached(t *testing.T, pid string) {
	t.Helper()
	number, err := strconv.Atoi(pid)
	require.NoError(t, err)
	group, err := syscall.Getpgid(number)
	require.NoError(t, err)
	assert.Equal(t, number, group)
	if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil { // only on Linux
		_, fields, _ := strings.Cut(string(stat), ") ")
		assert.Equal(t, pid, strings.Fields(fields)[3], "the session")
	}
}

// No one sees the errors of a process in the background.
func TestBackgroundReportsErrorsFirst(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	for _, test := range []struct {
		name, flag, told string
		status           int
	}{
		{"a file that cannot be written", "--pidfile=" + filepath.Join(t.TempDir(), "none", "worker.pid"), "writing the process id", 1},
		{"an address that is taken", "--health=" + taken.Addr().String(), "listening for health checks", 1},
		{"no queue", "--queue=!slow", "at least one queue", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cmd := command([]string{"REDIS_URL=" + s.URL, "QUEUE=slow", "BACKGROUND=yes"}, "work", test.flag)
			out, _ := cmd.CombinedOutput()
			assert.Equal(t, test.status, cmd.ProcessState.ExitCode())
			assert.Contains(t, string(out), test.told)
			assert.NotContains(t, string(out), "in the background as")
		})
	}
}

func TestBackgroundAndPIDFile(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	file := filepath.Join(t.TempDir(), "worker.pid")
	cmd := command([]string{"REDIS_URL=" + s.URL, "QUEUE=slow", "BACKGROUND=yes", "PIDFILE=" + file}, "work")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	eventually(t, func() bool { return slots(t, s) == 1 }, "the worker in the background")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	pid, err := strconv.Atoi(string(text))
	require.NoError(t, err)
	assert.Contains(t, string(out), "process "+string(text))

	id, err := redis.Strings(s.Conn(t).Do("SMEMBERS", "resque:workers"))
	require.NoError(t, err)
	require.Contains(t, id[0], ":"+strconv.Itoa(pid)+":")
	killed := run(t, nil, []string{"REDIS_URL=" + s.URL}, "kill", id[0])
	require.Equal(t, 0, killed.status, killed.stderr)
	assert.Contains(t, killed.stdout, "** killed process "+string(text)+" with its slots: 1\n")
	assert.Zero(t, slots(t, s))
}

// When the command returns, the file names the new process.
func TestBackgroundReturnsWithTheNewPIDInItsFile(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	file := filepath.Join(t.TempDir(), "worker.pid")
	require.NoError(t, os.WriteFile(file, []byte("999999999"), 0o600))
	out, err := command([]string{"REDIS_URL=" + s.URL, "QUEUE=slow"}, "work", "--background", "--pidfile", file).CombinedOutput()
	require.NoError(t, err, string(out))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "working in the background as process "+string(text)+"\n", string(out))
	pid, err := strconv.Atoi(string(text))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGTERM))
}

// The log of the process in the background is appended to the file, in every spelling of
// the flag.
func TestBackgroundAppendsToALogFile(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(file string) (environ, args []string){
		"flag": func(file string) ([]string, []string) { return nil, []string{"--background", "--log-file", file} },
		"=": func(file string) ([]string, []string) {
			return nil, []string{"--log-file=" + file, "--background=true"}
		},
		"variable": func(file string) ([]string, []string) {
			return []string{"BACKGROUND=1", "RESQUE_LOG_FILE=" + file}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			file := filepath.Join(t.TempDir(), "worker.log")
			require.NoError(t, os.WriteFile(file, []byte("before\n"), 0o600))
			environ, args := start(file)
			cmd := command(append(environ, "REDIS_URL="+s.URL, "QUEUE=slow"), append([]string{"work"}, args...)...)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			eventually(t, func() bool { return slots(t, s) == 1 }, "the worker in the background")
			logged := func() string {
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				return string(text)
			}
			eventually(t, func() bool { return strings.Contains(logged(), "worker started") }, "the log")
			assert.True(t, strings.HasPrefix(logged(), "before\n"), "it is not truncated")
			assert.NotContains(t, string(out), "worker started")
			id, err := redis.Strings(s.Conn(t).Do("SMEMBERS", "resque:workers"))
			require.NoError(t, err)
			require.Equal(t, 0, run(t, nil, []string{"REDIS_URL=" + s.URL}, "kill", id[0]).status)
		})
	}
	s := redistest.Start(t)
	for _, args := range [][]string{{"--log-file", "x"}, {"--background", "--log-file", ""}} {
		assert.Equal(t, 2, run(t, nil, []string{"REDIS_URL=" + s.URL, "QUEUE=slow"}, append([]string{"work"}, args...)...).status, "%q", args)
	}
	got := run(t, nil, []string{"REDIS_URL=" + s.URL, "QUEUE=slow"}, "work", "--background", "--log-file", filepath.Join(t.TempDir(), "no", "x"))
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stderr, "opening the log file")
}

func TestBackgroundFailsOnAFullDisk(t *testing.T) {
	t.Parallel()
	_, err := os.Stat("/dev/full")
	redistest.Require(t, "/dev/full", err == nil)
	s := redistest.Start(t)
	cmd := command([]string{"REDIS_URL=" + s.URL, "QUEUE=slow"}, "work", "--background", "--pidfile", "/dev/full")
	out, _ := cmd.CombinedOutput()
	assert.Equal(t, 1, cmd.ProcessState.ExitCode())
	assert.Contains(t, string(out), "writing the process id")
	assert.NotContains(t, string(out), "in the background as")
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	addr := "127.0.0.1:" + redistest.FreePort(t)
	cmd := command([]string{"REDIS_URL=" + s.URL, "QUEUE=slow"}, "work", "--health", addr)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	get := func(path string) (int, string) {
		response, err := http.Get("http://" + addr + path)
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, strings.TrimSpace(string(body))
	}
	eventually(t, func() bool { status, _ := get("/readyz"); return status == http.StatusOK }, "ready")
	status, body := get("/healthz")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "stuck jobs: 0")

	_, err := s.Conn(t).Do("FLUSHDB")
	require.NoError(t, err)
	eventually(t, func() bool { // a probe waits for Redis for 2 s only
		status, body = get("/readyz")
		return body == "not registered"
	}, "not registered, until the next heartbeat")
	assert.Equal(t, http.StatusServiceUnavailable, status)

	require.NoError(t, syscall.Kill(s.PID, syscall.SIGKILL))
	eventually(t, func() bool { status, _ := get("/readyz"); return status == http.StatusServiceUnavailable }, "not ready without Redis")
	status, _ = get("/healthz")
	assert.Equal(t, http.StatusOK, status, "the worker need not be restarted")
}

func TestWorkersUsageErrors(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--count", "0", "-q", "a"}, {"--count", "1001", "-q", "a"}, {}, {"-q", "a", "--background"}, {"-q", "a", "--pidfile", "x"}} {
		// In a separate process: a call that is not refused would start this binary,
		// which is the tests, again and again.
		cmd := command(nil, append([]string{"workers"}, args...)...)
		_ = cmd.Run() // the result is in ProcessState
		assert.Equal(t, 2, cmd.ProcessState.ExitCode(), strings.Join(args, " "))
	}
}
