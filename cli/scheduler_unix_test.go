//go:build unix

package cli_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
)

const masterLock = "resque:resque:resque_scheduler_master_lock"

// output collects what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// scheduling is a scheduler's process.
type scheduling struct {
	*exec.Cmd
	log *output
}

// startScheduler starts a process that ends with the test.
func startScheduler(t *testing.T, s *redistest.Server, environ []string, args ...string) scheduling {
	t.Helper()
	cmd := command(append([]string{"REDIS_URL=" + s.URL}, environ...), append([]string{"scheduler"}, args...)...)
	p := scheduling{cmd, &output{}}
	cmd.Stderr = p.log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return p
}

// says waits until the log contains text.
func (p scheduling) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, func() bool { return strings.Contains(p.log.String(), text) }, text)
}

func (p scheduling) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, p.Process.Signal(sig))
}

// stop stops the process, which must exit with 0.
func (p scheduling) stop(t *testing.T, sig syscall.Signal) {
	t.Helper()
	p.signal(t, sig)
	require.NoError(t, p.Wait(), "%s", p.log)
}

func holder(t *testing.T, s *redistest.Server, key string) string {
	t.Helper()
	text, err := redis.String(s.Conn(t).Do("GET", key))
	if err != nil {
		require.ErrorIs(t, err, redis.ErrNil)
	}
	return text
}

func delay(t *testing.T, s *redistest.Server, second int64, payload string) {
	t.Helper()
	c := s.Conn(t)
	for _, command := range [][]any{
		{"RPUSH", fmt.Sprint("resque:delayed:", second), payload},
		{"SADD", "resque:timestamps:" + payload, fmt.Sprint("delayed:", second)},
		{"ZADD", "resque:delayed_queue_schedule", second, second},
	} {
		_, err := c.Do(command[0].(string), command[1:]...)
		require.NoError(t, err)
	}
}

func queueLen(t *testing.T, s *redistest.Server, key string) int {
	t.Helper()
	n, err := redis.Int(s.Conn(t).Do("LLEN", key))
	require.NoError(t, err)
	return n
}

// liveScenarios are Ruby's recordings of a running process, by name. Each function
// tests that ours does the same, or what its comment says.
func liveScenarios() map[string]func(t *testing.T, s *redistest.Server) {
	stops := func(sig syscall.Signal) func(t *testing.T, s *redistest.Server) {
		return func(t *testing.T, s *redistest.Server) {
			t.Helper()
			p := startScheduler(t, s, nil)
			p.says(t, `"scheduler is master"`)
			p.stop(t, sig)
			assert.Empty(t, holder(t, s, masterLock))
		}
	}
	logs := func(format, line string) func(t *testing.T, s *redistest.Server) {
		return func(t *testing.T, s *redistest.Server) { // the members are not Ruby's
			t.Helper()
			file := filepath.Join(t.TempDir(), "log")
			p := startScheduler(t, s, []string{"LOGFORMAT=" + format, "LOGFILE=" + file})
			eventually(t, func() bool { text, _ := os.ReadFile(file); return strings.Contains(string(text), line) }, line)
			p.stop(t, syscall.SIGTERM)
			assert.Empty(t, p.log.String())
		}
	}
	return map[string]func(t *testing.T, s *redistest.Server){
		"stop_int":  stops(syscall.SIGINT),
		"stop_quit": stops(syscall.SIGQUIT),
		"static_empty_term": func(t *testing.T, s *redistest.Server) { // the title: TestTitleOfTheScheduler
			t.Helper()
			file := filepath.Join(t.TempDir(), "pid")
			p := startScheduler(t, s, []string{"PIDFILE=" + file, "APP_NAME=myapp", "RAILS_ENV=staging", "RESQUE_SCHEDULER_INTERVAL=0.5"})
			p.says(t, `"scheduler is master"`)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, strconv.Itoa(p.Process.Pid)+"\n", string(text))
			ttl, err := redis.Int(s.Conn(t).Do("TTL", masterLock))
			require.NoError(t, err)
			assert.LessOrEqual(t, ttl, 30, "Ruby's is 180 s")
			p.stop(t, syscall.SIGTERM)
			assert.NoFileExists(t, file)
			assert.Empty(t, holder(t, s, masterLock))
		},
		"logformat_json":   logs("json", `"msg":"scheduler is master"`),
		"logformat_logfmt": logs("logfmt", `level=INFO msg="scheduler is master"`),
		"delayed_live": func(t *testing.T, s *redistest.Server) {
			t.Helper()
			p := startScheduler(t, s, nil)
			p.says(t, `"scheduler is master"`)
			delay(t, s, 1, `{"class":"Mail","args":[1],"queue":"mail"}`)
			eventually(t, func() bool { return queueLen(t, s, "resque:queue:mail") == 1 }, "the job is moved")
		},
		"bad_delayed_payload": func(t *testing.T, s *redistest.Server) { // Ruby's process ends
			t.Helper()
			delay(t, s, 100, `{oops`)
			p := startScheduler(t, s, nil)
			p.says(t, "a delayed job cannot be enqueued, it was recorded as failed")
			assert.Equal(t, 1, queueLen(t, s, "resque:failed"))
			p.stop(t, syscall.SIGTERM)
		},
		"bad_lock_timeout": func(t *testing.T, s *redistest.Server) { // Ruby puts it into its script
			t.Helper()
			got := run(t, nil, []string{"REDIS_URL=" + s.URL, "LOCK_TIMEOUT=abc"}, "scheduler")
			assert.Equal(t, 2, got.status)
			assert.Contains(t, got.stderr, `LOCK_TIMEOUT: want a number of seconds, such as 5 or 0.5, got "abc"`)
		},
		"env_false_is_true": func(t *testing.T, s *redistest.Server) { // here it is false
			t.Helper()
			for _, value := range []string{"false", "0", "no", "true", "1"} {
				p := startScheduler(t, s, []string{"VERBOSE=" + value, "LOGFORMAT=text"})
				p.says(t, "scheduler started")
				delay(t, s, 1, `{"class":"Mail","args":[1],"queue":"`+value+`"}`)
				eventually(t, func() bool { return queueLen(t, s, "resque:queue:"+value) == 1 }, "the job is moved")
				p.stop(t, syscall.SIGTERM)
				debug := value == "true" || value == "1"
				assert.Equal(t, debug, strings.Contains(p.log.String(), "level=DEBUG"), "%s: %s", value, p.log)
			}
		},
		"failover": func(t *testing.T, s *redistest.Server) {
			t.Helper()
			a := startScheduler(t, s, nil)
			a.says(t, `"scheduler is master"`)
			b := startScheduler(t, s, nil)
			b.says(t, "another scheduler is master")
			a.stop(t, syscall.SIGTERM)
			b.says(t, `"scheduler is master"`)
			assert.Contains(t, holder(t, s, masterLock), fmt.Sprintf("~go:%d:", b.Process.Pid))
		},
		"lock_timeout_expiry": func(t *testing.T, s *redistest.Server) {
			t.Helper()
			a := startScheduler(t, s, []string{"LOCK_TIMEOUT=1"})
			a.says(t, `"scheduler is master"`)
			b := startScheduler(t, s, []string{"LOCK_TIMEOUT=1"})
			b.says(t, "another scheduler is master")
			a.signal(t, syscall.SIGKILL)
			b.says(t, `"scheduler is master"`)
		},
		"prefix": func(t *testing.T, s *redistest.Server) {
			t.Helper()
			p := startScheduler(t, s, []string{"RESQUE_SCHEDULER_MASTER_LOCK_PREFIX=MyApp"})
			p.says(t, `"scheduler is master"`)
			assert.NotEmpty(t, holder(t, s, "resque:resque:MyApp:resque_scheduler_master_lock"))
		},
		"signals_usr": func(t *testing.T, s *redistest.Server) { // without entries
			t.Helper()
			p := startScheduler(t, s, nil)
			p.says(t, `"scheduler is master"`)
			p.signal(t, syscall.SIGUSR1)
			p.says(t, "scheduler status")
			p.signal(t, syscall.SIGUSR2)
			p.signal(t, syscall.SIGUSR1)
			eventually(t, func() bool { return strings.Count(p.log.String(), "scheduler status") == 2 }, "it goes on")
			p.stop(t, syscall.SIGTERM)
			assert.Empty(t, holder(t, s, masterLock))
		},
	}
}

func TestSchedulerAsRubyWasRecorded(t *testing.T) {
	t.Parallel()
	scenarios := liveScenarios()
	ofEntries := []string{"bad_static_entry", "dynamic", "static_every_second"} // recurring entries have tests of their own
	recordings := golden.Family(t, "scheduler-live")
	assert.Len(t, recordings, len(scenarios)+len(ofEntries))
	for _, r := range recordings {
		scenario := scenarios[r.Name]
		if scenario == nil {
			assert.Contains(t, ofEntries, r.Name)
			continue
		}
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			scenario(t, redistest.Start(t))
		})
	}
}

func TestSchedulerStopsAtHUP(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	p := startScheduler(t, s, nil)
	p.says(t, `"scheduler is master"`)
	p.stop(t, syscall.SIGHUP)
	assert.Empty(t, holder(t, s, masterLock))
}

func TestSchedulerHealth(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	port := redistest.FreePort(t)
	p := startScheduler(t, s, nil, "--health", "127.0.0.1:"+port)
	get := func(path string) (status int, body string) {
		resp, err := http.Get("http://127.0.0.1:" + port + path)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	eventually(t, func() bool { status, _ := get("/readyz"); return status == http.StatusOK }, "it is ready")
	eventually(t, func() bool { _, body := get("/healthz"); return body == "ok\nmaster\n" }, "it is master")
	p.stop(t, syscall.SIGTERM)
}

func TestSchedulerInTheBackground(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	file := filepath.Join(t.TempDir(), "pid")
	cmd := command([]string{"REDIS_URL=" + s.URL}, "scheduler", "--background", "-P", file)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	eventually(t, func() bool { return holder(t, s, masterLock) != "" }, "it is master")
	require.NoError(t, syscall.Kill(pid, syscall.SIGTERM))
	eventually(t, func() bool { return holder(t, s, masterLock) == "" }, "it has released the lock")
	eventually(t, func() bool { _, err := os.Stat(file); return os.IsNotExist(err) }, "its file is gone")
}

// A worker with a scheduler performs delayed jobs by itself.
func TestWorkWithAScheduler(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	delay(t, s, 1, `{"class":"Polite","args":[0],"queue":"jobs"}`)
	cmd := command([]string{"REDIS_URL=" + s.URL, "LOCK_TIMEOUT=77"}, "work", "--queue", "jobs", "--scheduler")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	eventually(t, func() bool { return queueLen(t, s, "log") == 2 }, "the job is done")
	ttl, err := redis.Int(s.Conn(t).Do("TTL", masterLock))
	require.NoError(t, err)
	assert.Greater(t, ttl, 30, "the scheduler's variables count")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	assert.Empty(t, holder(t, s, masterLock))
}

func TestSchedulerRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		environ []string
		args    []string
		says    string
	}{
		{[]string{"VERBOSE=perhaps"}, nil, `VERBOSE: want true or false, got "perhaps"`},
		{[]string{"RESQUE_SCHEDULER_INTERVAL=0"}, nil, "RESQUE_SCHEDULER_INTERVAL) is 0"},
		{[]string{"LOCK_TIMEOUT=0.5"}, nil, "LOCK_TIMEOUT) is 0.5 s"},
		{[]string{"DELAYED_REQUEUE_BATCH_SIZE=0"}, nil, "DELAYED_REQUEUE_BATCH_SIZE) is 0"},
		{nil, []string{"--batch-size", "1001"}, "must be from 1 to 1000"},
		{[]string{"LOGFORMAT=xml"}, nil, "text or json or logfmt"},
	} {
		got := run(t, nil, append(test.environ, "REDIS_URL=127.0.0.1:1"), append([]string{"scheduler"}, test.args...)...)
		assert.Equal(t, 2, got.status, got.stderr)
		assert.Contains(t, got.stderr, test.says)
	}
}
