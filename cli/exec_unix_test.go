//go:build unix

package cli_test

import (
	"encoding/json"
	"fmt"
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

// execFailure is the part of a failure that the tests compare.
type execFailure struct {
	Exception, Error string
	Backtrace        []string
}

// execRun is a worker that performs jobs of class Shell with a command.
type execRun struct {
	s              *redistest.Server
	c              redis.Conn
	cmd            *exec.Cmd
	stdout, stderr *strings.Builder
	dir            string
}

// startExec starts a worker with payloads in its queue and command for the jobs, in a
// new directory.
func startExec(t *testing.T, job string, environ []string, payloads ...string) *execRun {
	t.Helper()
	r := &execRun{s: redistest.Start(t), stdout: &strings.Builder{}, stderr: &strings.Builder{}, dir: t.TempDir()}
	r.c = r.s.Conn(t)
	for _, p := range payloads {
		_, err := r.c.Do("RPUSH", "resque:queue:jobs", p)
		require.NoError(t, err)
	}
	program, err := filepath.Abs(os.Args[0])
	require.NoError(t, err)
	r.cmd = command(append([]string{"REDIS_URL=" + r.s.URL, "QUEUE=jobs"}, environ...), "work", "--exec", "Shell="+job)
	r.cmd.Path = program
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.Dir = r.dir
	r.cmd.Stdout, r.cmd.Stderr = r.stdout, r.stderr
	r.cmd.WaitDelay = patience
	require.NoError(t, r.cmd.Start())
	t.Cleanup(func() { _ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) })
	return r
}

// execDrain performs payloads and returns the failures.
func execDrain(t *testing.T, command string, environ []string, payloads ...string) (*execRun, []execFailure) {
	t.Helper()
	r := startExec(t, command, append(environ, "INTERVAL=0"), payloads...)
	require.NoError(t, r.cmd.Wait(), r.stderr)
	return r, r.failures(t)
}

func (r *execRun) failures(t *testing.T) []execFailure {
	t.Helper()
	records, err := redis.ByteSlices(r.c.Do("LRANGE", "resque:failed", 0, -1))
	require.NoError(t, err)
	all := make([]execFailure, len(records))
	for i, record := range records {
		require.NoError(t, json.Unmarshal(record, &all[i]))
	}
	return all
}

func (r *execRun) stat(t *testing.T, name string) int {
	t.Helper()
	n, err := redis.Int(r.c.Do("GET", "resque:stat:"+name))
	if err == redis.ErrNil { //nolint:errorlint // redigo returns it bare
		return 0
	}
	require.NoError(t, err)
	return n
}

func (r *execRun) read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, file))
	require.NoError(t, err)
	return string(text)
}

// wait waits until the command has written a file that is not empty.
func (r *execRun) wait(t *testing.T, file string) string {
	t.Helper()
	eventually(t, func() bool {
		text, err := os.ReadFile(filepath.Join(r.dir, file))
		return err == nil && len(text) > 0
	}, file)
	return r.read(t, file)
}

// places runs a test with jobs in the worker's process and with a process per job.
func places(t *testing.T, test func(t *testing.T, environ []string)) {
	t.Helper()
	for name, environ := range map[string][]string{"in process": nil, "a process per job": {"FORK_PER_JOB=true"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, environ)
		})
	}
}

func TestExecGetsTheJob(t *testing.T) {
	t.Parallel()
	places(t, func(t *testing.T, environ []string) {
		t.Helper()
		payload := `{"extra":[],"class":"Shell","args":[1.50,"é<&>\u00e9 'x' $HOME",12345678901234567890,{"a":[]}]}`
		r, failed := execDrain(t, `cat >stdin; env >env; ls -l /proc/self/fd >fds; echo out; echo err >&2`, environ, payload)
		require.Empty(t, failed)
		assert.Equal(t, payload, r.read(t, "stdin"), "byte for byte")
		env := "\n" + r.read(t, "env")
		assert.Contains(t, env, "\nRESQUE_CLASS=Shell\n")
		assert.Contains(t, env, "\nRESQUE_QUEUE=jobs\n")
		assert.Contains(t, env, "\nRESQUE_ARGS="+`[1.50,"é<&>\u00e9 'x' $HOME",12345678901234567890,{"a":[]}]`+"\n")
		assert.Regexp(t, `\nRESQUE_WORKER=.+~go:\d+:jobs\n`, env)
		assert.NotContains(t, env, "GORESQUE_CHILD")
		assert.NotRegexp(t, ` [34] -> pipe:`, r.read(t, "fds"))
		assert.Equal(t, "out\n", r.stdout.String())
		assert.Contains(t, r.stderr.String(), "err\n")
		assert.Equal(t, 1, r.stat(t, "processed"))
	})
}

func TestExecFails(t *testing.T) {
	t.Parallel()
	const job = `{"class":"Shell","args":[]}`
	for _, test := range []struct {
		name, command, exception, error string
		failed                          int
	}{
		{"last line", `echo one >&2; echo "two é" >&2; printf '\n  \n' >&2; exit 3`, "ExitError", "^two é$", 1},
		{"writes nothing", `: s3cret; exit 3`, "ExitError", `^the command ended with pid \d+ exit 3 and wrote nothing to standard error$`, 1},
		{"not UTF-8", `printf '\377x' >&2; false`, "ExitError", "^\uFFFDx$", 1},
		{"no such command", `/nowhere/to/be/found`, "ExitError", "not found", 1},
		{"killed by the system", `kill -KILL $$`, "Resque::DirtyExit", `^Child process received unhandled signal pid \d+ SIGKILL \(signal 9\)$`, 0},
		{"kills its group", `kill -KILL 0`, "Resque::DirtyExit", `^Child process received unhandled signal pid \d+ SIGKILL \(signal 9\)$`, 0},
		{"kills its supervisor", `echo $$ >pid; kill -KILL $PPID; sleep 50`, "Resque::DirtyExit", `SIGKILL`, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			places(t, func(t *testing.T, environ []string) {
				t.Helper()
				r, failed := execDrain(t, test.command, environ, job)
				require.Len(t, failed, 1)
				assert.NotContains(t, failed[0].Error+strings.Join(failed[0].Backtrace, "\n"), "s3cret", "the command is not stored")
				assert.Equal(t, test.exception, failed[0].Exception)
				assert.Regexp(t, test.error, failed[0].Error)
				assert.Equal(t, test.failed, r.stat(t, "failed"))
				assert.Equal(t, 1, r.stat(t, "processed"))
				switch test.name {
				case "last line":
					assert.Equal(t, []string{"one", "two é"}, failed[0].Backtrace[:2])
				case "kills its supervisor":
					requireGroupEnded(t, r.pid(t))
				}
			})
		})
	}
}

func TestExecKeepsTheTailOfStandardError(t *testing.T) {
	t.Parallel()
	r, failed := execDrain(t, `i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo "line $i of many" >&2; done; exit 1`, nil, `{"class":"Shell","args":[]}`)
	require.Len(t, failed, 1)
	assert.Equal(t, "line 3000 of many", failed[0].Error)
	require.Len(t, failed[0].Backtrace, 51)
	assert.Equal(t, "line 2951 of many", failed[0].Backtrace[0])
	assert.Contains(t, r.stderr.String(), "line 1 of many\n", "all of it is passed on")
}

func TestExecWithMuch(t *testing.T) {
	t.Parallel()
	long := fmt.Sprintf(`{"class":"Shell","args":[%q]}`, strings.Repeat("x", 64<<10-4))
	longer := fmt.Sprintf(`{"class":"Shell","args":[%q]}`, strings.Repeat("x", 64<<10-3))
	huge := fmt.Sprintf(`{"class":"Shell","args":[%q]}`, strings.Repeat("x", 5<<20))
	places(t, func(t *testing.T, environ []string) {
		t.Helper()
		r, failed := execDrain(t, `echo ${#RESQUE_ARGS} >>lengths`, environ, long, longer, huge)
		require.Empty(t, failed)
		assert.Equal(t, "65536\n0\n0\n", r.read(t, "lengths"), "and the command did not read standard input")
		r, failed = execDrain(t, `wc -c >length`, environ, huge)
		require.Empty(t, failed)
		assert.Equal(t, strconv.Itoa(len(huge)), strings.TrimSpace(r.read(t, "length")))
	})
}

func TestExecGetsSignals(t *testing.T) {
	t.Parallel()
	const sleeps = `echo $$ >pid; sleep 50`
	for _, test := range []struct {
		name, command, exception string
		environ                  []string
		signal                   syscall.Signal
		processed, failed        int
	}{
		{"TERM, obedient", sleeps, "Resque::TermException", []string{"TERM_CHILD=1"}, syscall.SIGTERM, 1, 1},
		{"TERM, stubborn", `trap '' TERM; ` + sleeps, "Resque::DirtyExit", []string{"TERM_CHILD=1", "RESQUE_TERM_TIMEOUT=1"}, syscall.SIGTERM, 1, 0},
		{"TERM, exits with 0", `trap 'exit 0' TERM; echo $$ >pid; while :; do sleep 0.1; done`, "", []string{"TERM_CHILD=1"}, syscall.SIGTERM, 1, 0},
		{"TERM, goes back", sleeps, "", []string{"TERM_CHILD=1", "RESQUE_ON_SHUTDOWN=requeue"}, syscall.SIGTERM, 0, 0},
		{"TERM, stubborn, requeued", `trap '' TERM; ` + sleeps, "", []string{"TERM_CHILD=1", "RESQUE_TERM_TIMEOUT=1", "RESQUE_ON_SHUTDOWN=requeue"}, syscall.SIGTERM, 0, 0},
		{"USR1", sleeps, "Resque::TermException", []string{"TERM_CHILD=1"}, syscall.SIGUSR1, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			places(t, func(t *testing.T, environ []string) {
				t.Helper()
				r := startExec(t, test.command, append(environ, test.environ...), `{"class":"Shell","args":[]}`)
				pid := r.pid(t)
				require.NoError(t, syscall.Kill(r.cmd.Process.Pid, test.signal))
				if test.signal == syscall.SIGUSR1 {
					eventually(t, func() bool { return r.stat(t, "processed") == 1 }, "the job ends")
					require.NoError(t, syscall.Kill(r.cmd.Process.Pid, syscall.SIGQUIT))
				}
				require.NoError(t, r.cmd.Wait())
				failed := r.failures(t)
				if test.exception == "" {
					assert.Empty(t, failed)
				} else if assert.Len(t, failed, 1) {
					assert.Equal(t, test.exception, failed[0].Exception)
				}
				assert.Equal(t, test.processed, r.stat(t, "processed"))
				assert.Equal(t, test.failed, r.stat(t, "failed"))
				requireGroupEnded(t, pid)
			})
		})
	}
}

func (r *execRun) pid(t *testing.T) int {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(r.wait(t, "pid")))
	require.NoError(t, err)
	return pid
}

// requireGroupEnded waits until no process of a command's group is running.
func requireGroupEnded(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, p := range processes(t) {
			if p.state != 'Z' && (p.pid == strconv.Itoa(pid) || p.parent == strconv.Itoa(pid)) {
				return false
			}
		}
		return true
	}, patience, 50*time.Millisecond, "the command is still running")
}

// processOf is a process as the system lists it.
type processOf struct {
	pid, parent string
	state       byte // Z: has ended
}

// processes returns all processes, from /proc or, if it is missing, from ps.
func processes(t *testing.T) (all []processOf) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil { // the process has ended since
			continue
		}
		text := string(stat) // for example "42 (a name) S 1 42 42 …"
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		all = append(all, processOf{filepath.Base(filepath.Dir(name)), fields[1], fields[0][0]})
	}
	if len(stats) > 0 {
		return all
	}
	out, err := exec.Command("ps", "-e", "-o", "stat=,pid=,ppid=").Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		all = append(all, processOf{fields[1], fields[2], fields[0][0]})
	}
	return all
}

func TestExecTimeout(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]string{"ends at TERM": `echo $$ >pid; sleep 50`, "stubborn": `trap '' TERM; echo $$ >pid; sleep 50`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			places(t, func(t *testing.T, environ []string) {
				t.Helper()
				r, failed := execDrain(t, command, append(environ, "RESQUE_TIMEOUT=5", "RESQUE_TERM_TIMEOUT=0.5"), `{"class":"Shell","args":[]}`)
				require.Len(t, failed, 1)
				assert.Equal(t, execFailure{"Timeout::Error", "Shell: execution expired after 5s", []string{}}, failed[0])
				requireGroupEnded(t, r.pid(t))
			})
		})
	}
}

// Processes that a command leaves in the background end with it.
func TestExecLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	places(t, func(t *testing.T, environ []string) {
		t.Helper()
		r, failed := execDrain(t, `sleep 1000 & echo $! >pid; exit 0`, environ, `{"class":"Shell","args":[]}`)
		require.Empty(t, failed)
		requireGroupEnded(t, r.pid(t))
	})
}

func TestExecEndsWithAWorkerThatIsKilled(t *testing.T) {
	t.Parallel()
	places(t, func(t *testing.T, environ []string) {
		t.Helper()
		r := startExec(t, `trap '' TERM; echo $$ >pid; sleep 1000 & sleep 1000`, environ, `{"class":"Shell","args":[]}`)
		pid := r.pid(t)
		require.NoError(t, r.cmd.Process.Kill())
		_ = r.cmd.Wait()
		requireGroupEnded(t, pid)
	})
}

func TestInvalidExecFlags(t *testing.T) {
	t.Parallel()
	for _, pair := range []string{"", "Shell", "=true", " =true", "Shell=", "Shell=  "} {
		got := run(t, nil, nil, "work", "-q", "jobs", "--exec", pair)
		assert.Equal(t, 2, got.status, pair)
		assert.Contains(t, got.stderr, "want CLASS=COMMAND, such as --exec 'Thumbnail=./thumbnail.sh'")
	}
	got := run(t, nil, nil, "work", "-q", "jobs", "--exec", "A=true", "--exec", "A=false")
	assert.Equal(t, 2, got.status)
	assert.Contains(t, got.stderr, "class A already has a handler")
	got = run(t, nil, nil, "supervise", "true")
	assert.Equal(t, 2, got.status, "it would kill this process's group")
	assert.Contains(t, got.stderr, "supervise is only for work --exec")
}
