//go:build unix

package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// forkConfig configures a worker in another process: fields of a Config, and the
// number of jobs between two measurements.
type forkConfig struct {
	URL                               string
	Concurrency, JobsPerChild         int
	TermChild, GracefulTerm, Requeues bool
	TermTimeout                       time.Duration
	Measured                          int

	argv, environ []string // the command line, if it is not this binary
}

// beForking runs a worker with a process per job.
func beForking(ctx context.Context) error {
	var told forkConfig
	if err := json.Unmarshal([]byte(os.Getenv("WORKER_TEST_FORK")), &told); err != nil {
		return err
	}
	rdb, err := resque.Open(resque.RedisConfig{URL: told.URL, DialTimeout: time.Minute})
	if err != nil {
		return err
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	cfg := worker.Config{
		Queues: []string{"q"}, ForkPerJob: true, Concurrency: told.Concurrency, JobsPerChild: told.JobsPerChild,
		GracefulTerm: told.GracefulTerm, StopGrace: told.TermTimeout, KillChildren: !told.TermChild,
		UntilEmpty: told.Measured > 0, PollInterval: 100 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if told.TermChild {
		cfg.StopTimeout = time.Nanosecond
	}
	if told.Requeues {
		cfg.OnShutdown = worker.RequeueInterrupted
	}
	w, err := worker.New(client, forkJobs(), cfg)
	if err != nil {
		return err
	}
	if told.Measured > 0 {
		return measure(ctx, client, w, told.Measured)
	}
	return w.RunWithSignals(ctx)
}

// measure performs jobs and prints what the process uses before and after.
func measure(ctx context.Context, client *resque.Client, w *worker.Worker, jobs int) error {
	for _, n := range []int{20, jobs} {
		for range n {
			if _, err := client.Enqueue(ctx, resque.Job{Queue: "q", Class: "Note", Args: []any{"/dev/null", ""}}); err != nil {
				return err
			}
		}
		if err := w.Run(ctx); err != nil {
			return err
		}
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return err
		}
		if err := awaitNoChildren(ctx); err != nil {
			return err
		}
		runtime.GC()
		fmt.Println("measured", len(fds), runtime.NumGoroutine(), len(childrenOf(os.Getpid())), rss())
	}
	return nil
}

// awaitNoChildren waits until this process has no children. A child that does not end
// by itself is killed after 5 s.
func awaitNoChildren(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for len(childrenOf(os.Getpid())) > 0 {
		if !backoff.Sleep(ctx, 10*time.Millisecond) {
			return fmt.Errorf("children are left: %v", childrenOf(os.Getpid()))
		}
	}
	return nil
}

// rss returns the resident memory of this process, in KiB.
func rss() int {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

// childrenOf returns the processes whose parent is pid, including zombies.
func childrenOf(pid int) []int {
	var children []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		if child, parent, _ := readStat(stat); parent == pid {
			children = append(children, child)
		}
	}
	return children
}

func readStat(path string) (pid, parent int, state string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, ""
	}
	head, rest, _ := bytes.Cut(text, []byte(" ("))
	pid, _ = strconv.Atoi(string(head))
	fields := strings.Fields(string(rest[bytes.LastIndexByte(rest, ')')+1:]))
	parent, _ = strconv.Atoi(fields[1])
	return pid, parent, fields[0]
}

// lives reports whether a process exists and is not a zombie.
func lives(pid int) bool {
	_, _, state := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	return state != "" && state != "Z" && state != "X"
}

func needProc(t *testing.T) {
	t.Helper()
	_, err := os.Stat("/proc/self/stat")
	redistest.Require(t, "proc", err == nil)
}

// forkWorker is a worker in another process, which leads its process group.
type forkWorker struct {
	cmd  *exec.Cmd
	pid  int // of the worker, which unshare may have started
	said *journal
	done chan error
}

func startForking(t *testing.T, s *redistest.Server, told forkConfig) *forkWorker {
	t.Helper()
	told.URL = s.URL
	text, err := json.Marshal(told)
	require.NoError(t, err)
	argv := told.argv
	if argv == nil {
		argv = os.Args[:1]
	}
	w := &forkWorker{cmd: exec.Command(argv[0], argv[1:]...), said: &journal{}, done: make(chan error, 1)}
	w.cmd.Env = append(append(os.Environ(), "WORKER_TEST_FORK="+string(text)), told.environ...)
	w.cmd.Stdout, w.cmd.Stderr = w.said, w.said
	w.cmd.WaitDelay = 5 * time.Second
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, w.cmd.Start())
	w.pid = w.cmd.Process.Pid
	go func() { w.done <- w.cmd.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL)
		if t.Failed() {
			w.said.mu.Lock()
			defer w.said.mu.Unlock()
			t.Logf("the worker said:\n%s", &w.said.text)
		}
	})
	return w
}

func (w *forkWorker) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, syscall.Kill(w.pid, sig))
}

// spare waits until the worker has one child, except those in but, and returns it. The
// child may not be ready yet.
func (w *forkWorker) spare(t *testing.T, but ...int) int {
	t.Helper()
	var children []int
	eventually(t, func() bool {
		children = slices.DeleteFunc(childrenOf(w.pid), func(pid int) bool { return slices.Contains(but, pid) || !lives(pid) })
		return len(children) == 1
	}, "one child")
	return children[0]
}
