package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/internal/redistest"
)

const goresque = "goresque-" + cli.Version + ": "

// shown returns the title of a process as ps shows it, with spaces for NULs.
func shown(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // the process may have ended
	return strings.ReplaceAll(strings.TrimSuffix(string(text), "\x00"), "\x00", " ")
}

func eventuallyShows(t *testing.T, pid int, pattern string) {
	t.Helper()
	want := regexp.MustCompile("^" + pattern + "$")
	eventually(t, func() bool { return want.MatchString(shown(pid)) }, "title "+pattern)
}

func start(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func push(t *testing.T, s *redistest.Server, queue, payload string) {
	t.Helper()
	_, err := s.Conn(t).Do("RPUSH", "resque:queue:"+queue, payload)
	require.NoError(t, err)
}

func TestTitleFollowsTheWorker(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	file := filepath.Join(t.TempDir(), "worker.pid")
	cmd := start(t, command(
		[]string{"REDIS_URL=" + s.URL, "RESQUE_PROCLINE_PREFIX=shop-", "PIDFILE=" + file},
		"work", "--queue", "slow,jobs", "-c", "3", "--interval=0.1", "--max-waiting", "0",
	))
	pid := cmd.Process.Pid
	eventuallyShows(t, pid, "shop-"+goresque+"Waiting for slow,jobs")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, strconv.Itoa(pid), string(text), "the process id is unchanged")
	ids, err := redis.Strings(s.Conn(t).Do("SMEMBERS", "resque:workers"))
	require.NoError(t, err)
	require.Len(t, ids, 3, "the flags after the title are unchanged")
	assert.Regexp(t, `~go:\d+-\d:slow,jobs$`, ids[0])

	push(t, s, "slow", `{"class":"Held","args":["end"]}`)
	eventuallyShows(t, pid, "shop-"+goresque+`Processing slow since \d+ \[Held\]`)
	push(t, s, "jobs", `{"class":"Held","args":["end"]}`)
	eventuallyShows(t, pid, "shop-"+goresque+`Processing slow,jobs since \d+ \[Held \+1\]`)
	_, err = s.Conn(t).Do("RPUSH", "end", 1, 2)
	require.NoError(t, err)
	eventuallyShows(t, pid, "shop-"+goresque+"Waiting for slow,jobs")

	require.NoError(t, cmd.Process.Signal(syscall.SIGUSR2))
	eventuallyShows(t, pid, "shop-"+goresque+"Paused")
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	eventuallyShows(t, pid, "shop-"+goresque+"Waiting for slow,jobs")
	require.Equal(t, 0, run(t, nil, []string{"REDIS_URL=" + s.URL}, "pause").status)
	eventuallyShows(t, pid, "shop-"+goresque+"Paused")

	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
}

// The second start finds the same environment as the first.
func TestSecondStartChangesNothingElse(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	cmd := command([]string{"REDIS_URL=" + s.URL}, "work", "--queue", "jobs", "--timeout", "77", "--exec", "Env=env >&2; grep Sig /proc/self/status >&2")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Args[0] = "./some name"
	cmd.Args = append([]string{"bash", "-c", `trap '' HUP; cat /proc/self/status >"$CLI_TEST_STATUS"; exec -a "$0" "$CLI_TEST_BINARY" "$@"`}, cmd.Args...)
	link := filepath.Join(t.TempDir(), "shop-worker")
	binary, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(binary, link))
	before := filepath.Join(t.TempDir(), "status")
	cmd.Env = append(cmd.Env, "CLI_TEST_BINARY="+link, "CLI_TEST_STATUS="+before)
	cmd.Path, err = exec.LookPath("bash")
	redistest.Require(t, "bash", err == nil)
	start(t, cmd)
	pid := cmd.Process.Pid
	eventuallyShows(t, pid, goresque+"Waiting for jobs")
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	require.NoError(t, err)
	assert.Equal(t, "shop-worker\n", string(name), "as top and pgrep know it")
	was, now := ignored(t, before), ignored(t, fmt.Sprintf("/proc/%d/status", pid))
	assert.EqualValues(t, 1, was&1, "HUP")
	assert.Equal(t, was, now, "the signals that are ignored")

	push(t, s, "jobs", `{"class":"Self","args":[]}`)
	push(t, s, "jobs", `{"class":"Env","args":[]}`)
	var log []string
	eventually(t, func() bool {
		log, err = redis.Strings(s.Conn(t).Do("LRANGE", "log", 0, -1))
		return err == nil && len(log) == 2
	}, "the job's output")
	assert.Equal(t, "./some name|work|--queue|jobs|--timeout|77|--exec|Env=env >&2; grep Sig /proc/self/status >&2", log[0])
	assert.NotContains(t, log[1], "GORESQUE_TITLE")
	assert.Contains(t, log[1], "CLI_TEST_COMMAND=1")
	eventually(t, func() bool {
		n, err := redis.Int(s.Conn(t).Do("GET", "resque:stat:processed"))
		return err == nil && n == 2
	}, "both jobs")
	eventuallyShows(t, pid, goresque+"Waiting for jobs")

	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	assert.Contains(t, stderr.String(), "RESQUE_CLASS=Env")
	assert.Contains(t, stderr.String(), "SigBlk:\t0000000000000000\n")
	assert.NotContains(t, stderr.String(), "GORESQUE_TITLE", "processes started by a job do not inherit it")
}

func status(t *testing.T, file string, fields ...string) (found []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		for _, field := range fields {
			if strings.HasPrefix(line, field+":") {
				found = append(found, line)
			}
		}
	}
	require.Len(t, found, len(fields))
	return found
}

// ignored returns the signals that a process ignores, as a bit mask, from its status in
// /proc.
func ignored(t *testing.T, file string) uint64 {
	t.Helper()
	_, mask, _ := strings.Cut(strings.TrimSpace(status(t, file, "SigIgn")[0]), "\t")
	bits, err := strconv.ParseUint(mask, 16, 64)
	require.NoError(t, err)
	return bits
}

// An inherited marker of another process is ignored.
func TestTitleMarkerOfAnotherProcess(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	cmd := start(t, command([]string{"REDIS_URL=" + s.URL, "GORESQUE_TITLE=1\nother\nother", "QUEUE=jobs"}, "work"))
	eventuallyShows(t, cmd.Process.Pid, goresque+"Waiting for jobs")
}

func TestTitleOfManyQueuesIsCut(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	var queues []string
	for i := range 300 {
		queues = append(queues, fmt.Sprintf("queue%d", i))
	}
	cmd := start(t, command([]string{"REDIS_URL=" + s.URL}, "work", "-q", strings.Join(queues, ",")))
	eventuallyShows(t, cmd.Process.Pid, goresque+"Waiting for queue0,queue1,.*")
	assert.Len(t, shown(cmd.Process.Pid), 1023)
}

func TestTitleWithAProcessPerJob(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	cmd := start(t, command([]string{"REDIS_URL=" + s.URL, "QUEUE=jobs", "FORK_PER_JOB=true"}, "work"))
	eventuallyShows(t, cmd.Process.Pid, goresque+"Waiting for jobs")
	push(t, s, "jobs", `{"class":"Held","args":["end"]}`)
	eventuallyShows(t, cmd.Process.Pid, goresque+`Forked \d+ at \d+`)
	child, err := strconv.Atoi(regexp.MustCompile(`Forked (\d+)`).FindStringSubmatch(shown(cmd.Process.Pid))[1])
	require.NoError(t, err)
	assert.Equal(t, []string{fmt.Sprintf("PPid:\t%d\n", cmd.Process.Pid)}, status(t, fmt.Sprintf("/proc/%d/status", child), "PPid"))
	assert.Contains(t, shown(child), " work")
	_, err = s.Conn(t).Do("RPUSH", "end", 1)
	require.NoError(t, err)
	eventuallyShows(t, cmd.Process.Pid, goresque+"Waiting for jobs")
}

func TestWorkersEachHaveATitle(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	cmd := start(t, command([]string{"REDIS_URL=" + s.URL, "QUEUE=jobs", "COUNT=2"}, "workers", "--interval", "3"))
	eventually(t, func() bool { return slots(t, s) == 2 }, "two workers")
	assert.Contains(t, shown(cmd.Process.Pid), " workers --interval 3")
	ids, err := redis.Strings(s.Conn(t).Do("SMEMBERS", "resque:workers"))
	require.NoError(t, err)
	for _, id := range ids {
		pid, err := strconv.Atoi(strings.Split(id, ":")[1])
		require.NoError(t, err)
		eventuallyShows(t, pid, goresque+"Waiting for jobs")
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
}

func TestBackgroundHasATitle(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	file := filepath.Join(t.TempDir(), "worker.pid")
	out, err := command([]string{"REDIS_URL=" + s.URL, "QUEUE=jobs", "BACKGROUND=yes", "PIDFILE=" + file}, "work").CombinedOutput()
	require.NoError(t, err, string(out))
	pid, err := strconv.Atoi(regexp.MustCompile(`process (\d+)`).FindStringSubmatch(string(out))[1])
	require.NoError(t, err)
	defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
	eventuallyShows(t, pid, goresque+"Waiting for jobs")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, strconv.Itoa(pid), string(text))
}

// This process runs the tests, and Run is not Main.
func TestRunKeepsTheTitle(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	before := shown(os.Getpid())
	got := run(t, nil, []string{"REDIS_URL=" + s.URL, "QUEUE=jobs", "INTERVAL=0", "VVERBOSE=1"}, "work")
	require.Equal(t, 0, got.status, got.stderr)
	assert.Equal(t, before, shown(os.Getpid()))
	assert.NotContains(t, got.stderr, `"msg":"title"`)
}

func TestTitleOfTheScheduler(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	first := start(t, command([]string{"REDIS_URL=" + s.URL, "APP_NAME=myapp", "RAILS_ENV=staging"}, "scheduler"))
	const name = "goresque-scheduler-" + cli.Version
	eventuallyShows(t, first.Process.Pid, name+`\[myapp\]\[staging\]: Master scheduler`)
	second := start(t, command([]string{"REDIS_URL=" + s.URL}, "scheduler", "-E", "test"))
	eventuallyShows(t, second.Process.Pid, name+`\[test\]: Child scheduler`)
	require.NoError(t, first.Process.Signal(syscall.SIGTERM))
	require.NoError(t, first.Wait())
	eventuallyShows(t, second.Process.Pid, name+`\[test\]: Master scheduler`)
}
