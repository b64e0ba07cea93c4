//go:build unix

package worker_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

func requireEnded(t *testing.T, pids []int) {
	t.Helper()
	require.Eventually(t, func() bool { return !slices.ContainsFunc(pids, lives) }, time.Minute, 10*time.Millisecond,
		"children outlive their worker: %v", pids)
}

// A child ends with its worker even if it is in a busy loop or stopped.
func TestChildrenEndWithTheWorker(t *testing.T) {
	t.Parallel()
	needProc(t)
	for _, class := range []string{"", "Busy", "Stubborn", "Note"} {
		t.Run("with "+class, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			sheet := newSheet(t)
			w := startForking(t, s, forkConfig{Concurrency: 2, JobsPerChild: 2})
			if class != "" {
				enqueue(t, s, sheet.job(class, "1m"), sheet.job(class, "1m"))
				eventually(t, func() bool { return sheet.count(class+" in ") == 2 }, "jobs run")
			}
			eventually(t, func() bool { return w.said.count("worker started") == 1 }, "the worker runs")
			children := childrenOf(w.pid)
			require.NotEmpty(t, children)
			w.signal(t, syscall.SIGKILL)
			require.Error(t, <-w.done)
			requireEnded(t, children)
		})
	}
}

func TestOneSpareIsKept(t *testing.T) {
	t.Parallel()
	needProc(t)
	s := redistest.Start(t)
	sheet := newSheet(t)
	w := startForking(t, s, forkConfig{})
	eventually(t, func() bool { return w.said.count("worker started") == 1 }, "the worker runs")
	var killed []int
	for range 3 {
		spare := w.spare(t, killed...)
		require.NoError(t, syscall.Kill(spare, syscall.SIGKILL))
		killed = append(killed, spare)
	}
	eventually(t, func() bool { // the first is a spare; the others may not be ready yet
		return w.said.count("an idle child has ended")+w.said.count("a child could not be started") == 3
	}, "each is logged")
	assert.Positive(t, w.said.count("an idle child has ended"))
	enqueue(t, s, sheet.job("Note", ""))
	eventually(t, func() bool { return number(t, s.Conn(t), "resque:stat:processed") == 1 }, "performed")
	require.Equal(t, 1, sheet.count("Note in "))
	assert.Empty(t, failures(t, s.Conn(t)))
	eventually(t, func() bool { return len(childrenOf(w.pid)) == 1 }, "one is left")
	w.signal(t, syscall.SIGTERM)
	require.NoError(t, <-w.done)
}

// A child that has got a job but not accepted it has not begun: another child performs
// the job, once.
func TestJobOfAChildKilledBeforeItBeginsRunsOnce(t *testing.T) {
	t.Parallel()
	needProc(t)
	s := redistest.Start(t)
	sheet := newSheet(t)
	w := startForking(t, s, forkConfig{})
	eventually(t, func() bool { return w.said.count("worker started") == 1 }, "the worker runs")
	spare := w.spare(t)
	require.NoError(t, syscall.Kill(spare, syscall.SIGSTOP))
	enqueue(t, s, sheet.job("Note", ""))
	eventually(t, func() bool { return len(childrenOf(w.pid)) == 2 }, "it is handed the job, and there is a new spare")
	assert.Zero(t, sheet.count("Note"))
	require.NoError(t, syscall.Kill(spare, syscall.SIGKILL))
	eventually(t, func() bool { return number(t, s.Conn(t), "resque:stat:processed") == 1 }, "performed")
	assert.Equal(t, 1, sheet.count("Note in "))
	assert.Empty(t, failures(t, s.Conn(t)))
	w.signal(t, syscall.SIGTERM)
	require.NoError(t, <-w.done)
}

// A job that ends each child, because it is too large for them, is not tried for ever.
func TestJobFailsAfterFiveChildrenEndedBeforeIt(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	sheet := newSheet(t)
	enqueue(t, s, sheet.job("Note", ""))
	w := startForking(t, s, forkConfig{environ: []string{"WORKER_TEST_DIES=1"}})
	eventually(t, func() bool { return number(t, s.Conn(t), "resque:stat:processed") == 1 }, "it is given up")
	failed := failures(t, s.Conn(t))
	require.Len(t, failed, 1)
	assert.Regexp(t, `^Child process ended in the middle of its job: pid \d+ exit 7$`, failed[0].Error)
	assert.Zero(t, sheet.count("Note"))
	w.signal(t, syscall.SIGTERM)
	require.NoError(t, <-w.done)
}

// A job may have to wait for a child. The worker can be told to stop while it waits,
// and continues when children start again.
func TestWorkerWaitsForChildrenAndCanStop(t *testing.T) {
	t.Parallel()
	needProc(t)
	for name, test := range map[string]struct {
		cfg  forkConfig
		step func(t *testing.T, w *forkWorker, broken string)
		left int
	}{
		"TERM": {step: func(t *testing.T, w *forkWorker, _ string) {
			t.Helper()
			w.signal(t, syscall.SIGTERM)
		}, left: 1},
		"TERM, TERM_CHILD": {cfg: forkConfig{TermChild: true}, step: func(t *testing.T, w *forkWorker, _ string) {
			t.Helper()
			w.signal(t, syscall.SIGTERM)
		}, left: 1},
		"USR1, then QUIT once there are some again": {step: func(t *testing.T, w *forkWorker, broken string) {
			t.Helper()
			w.signal(t, syscall.SIGUSR1)
			require.NoError(t, os.Remove(broken))
			eventually(t, func() bool { return w.said.count("job done") == 1 }, "performed")
			w.signal(t, syscall.SIGQUIT)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			sheet := newSheet(t)
			broken := filepath.Join(t.TempDir(), "broken")
			test.cfg.environ = []string{"WORKER_TEST_BROKEN=" + broken}
			w := startForking(t, s, test.cfg)
			eventually(t, func() bool { return w.said.count("worker started") == 1 }, "the worker runs")
			require.NoError(t, os.WriteFile(broken, nil, 0o600))
			require.NoError(t, syscall.Kill(w.spare(t), syscall.SIGKILL))
			eventually(t, func() bool { return w.said.count("a child could not be started") > 0 }, "no child")
			enqueue(t, s, sheet.job("Note", ""))
			eventually(t, func() bool { return do(t, s.Conn(t), "LLEN", "resque:queue:q") == int64(0) }, "reserved")
			test.step(t, w, broken)
			select {
			case err := <-w.done:
				require.NoError(t, err)
			case <-time.After(time.Minute):
				require.Fail(t, "it does not end")
			}
			assert.EqualValues(t, test.left, do(t, s.Conn(t), "LLEN", "resque:queue:q"))
			assert.Equal(t, 1-test.left, sheet.count("Note in "))
			assert.Empty(t, failures(t, s.Conn(t)))
			requireGone(t, s.Conn(t))
		})
	}
}

// A deploy replaces the program's file while it runs.
func TestChildrenRunTheReplacedProgram(t *testing.T) {
	t.Parallel()
	needProc(t)
	program, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(path, program, 0o700))
	s := redistest.Start(t)
	sheet := newSheet(t)
	w := startForking(t, s, forkConfig{argv: []string{path}})
	eventually(t, func() bool { return w.said.count("worker started") == 1 }, "the worker runs")
	require.NoError(t, os.WriteFile(path+".new", []byte("#!/bin/false\n"), 0o700))
	require.NoError(t, os.Rename(path+".new", path))
	enqueue(t, s, sheet.job("Note", "1"), sheet.job("Note", "2"), sheet.job("Note", "3"))
	eventually(t, func() bool { return number(t, s.Conn(t), "resque:stat:processed") == 3 }, "performed")
	assert.Empty(t, failures(t, s.Conn(t)))
	assert.Equal(t, 3, distinct(sheet.pids("Note")))
}

// Two hundred jobs leave no goroutine, no open file, no zombie and no process.
func TestJobsInChildrenLeaveNothing(t *testing.T) {
	t.Parallel()
	needProc(t)
	s := redistest.Start(t)
	w := startForking(t, s, forkConfig{Concurrency: 3, Measured: 200})
	require.NoError(t, <-w.done)
	w.said.mu.Lock()
	defer w.said.mu.Unlock()
	var measured [][4]int
	for line := range strings.Lines(w.said.text.String()) {
		var m [4]int
		if n, _ := fmt.Sscanf(line, "measured %d %d %d %d", &m[0], &m[1], &m[2], &m[3]); n == 4 {
			measured = append(measured, m)
		}
	}
	require.Len(t, measured, 2)
	t.Logf("files, goroutines, children, KiB: %v", measured)
	const some = 5 // the pool may have opened more connections to Redis
	for i, what := range []string{"open files", "goroutines"} {
		assert.LessOrEqual(t, measured[1][i], measured[0][i]+some, what)
	}
	assert.Zero(t, measured[1][2], "children")
	assert.EqualValues(t, 220, number(t, s.Conn(t), "resque:stat:processed"))
}

// In a container a worker may be process 1.
func TestWorkerRunsAsProcessOne(t *testing.T) {
	t.Parallel()
	needProc(t)
	unshare := []string{"unshare", "--pid", "--fork", "--mount-proc"}
	out, err := exec.Command(unshare[0], append(unshare[1:], "true")...).CombinedOutput() //nolint:gosec // constants
	t.Logf("unshare: %v %s", err, out)
	redistest.Require(t, "namespaces", err == nil)
	s := redistest.Start(t)
	sheet := newSheet(t)
	w := startForking(t, s, forkConfig{TermChild: true, argv: append(unshare, os.Args[0])})
	w.pid = w.spare(t)
	enqueue(t, s, slices.Repeat([]resque.Job{sheet.job("Note", "")}, 10)...)
	enqueue(t, s, sheet.job("Polite", "1m"))
	eventually(t, func() bool { return sheet.count("Polite in ") == 1 }, "the last job runs")
	assert.Equal(t, 10, sheet.count("Note in "))
	eventually(t, func() bool { return len(childrenOf(w.pid)) == 2 }, "the others are reaped: one works, one waits")
	w.signal(t, syscall.SIGTERM)
	require.NoError(t, <-w.done)
	assert.Equal(t, "Resque::TermException", failures(t, s.Conn(t))[0].Exception)
	requireGone(t, s.Conn(t))
}

// TERM may come while the worker starts, between a pop and the start of the job, or
// during a job. The worker ends in time, and each job is performed, or in the queue, or
// recorded as cut off.
func TestTermAtAnyTimeLosesNoJob(t *testing.T) {
	t.Parallel()
	for i := range 12 {
		group := i%2 == 0
		t.Run(fmt.Sprintf("%d, to the group %v", i, group), func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			sheet := newSheet(t)
			const jobs = 200
			enqueue(t, s, slices.Repeat([]resque.Job{sheet.job("Note", "")}, jobs)...)
			w := startForking(t, s, forkConfig{Concurrency: 2, TermChild: i%3 == 0, TermTimeout: time.Second, Requeues: i%3 == 1})
			if i > 3 {
				eventually(t, func() bool { return sheet.count("Note") > 2 }, "jobs run")
			}
			<-time.After(time.Duration(rand.IntN(300)) * time.Millisecond)
			target := w.pid
			if group {
				target = -w.pid
			}
			require.NoError(t, syscall.Kill(target, syscall.SIGTERM))
			select {
			case err := <-w.done:
				if err != nil { // it did not handle signals yet
					assert.Equal(t, "signal: terminated", err.Error())
				}
			case <-time.After(time.Minute):
				require.Fail(t, "it does not end")
			}
			c := s.Conn(t)
			left, processed := do(t, c, "LLEN", "resque:queue:q").(int64), number(t, c, "resque:stat:processed")
			assert.EqualValues(t, jobs, left+processed, "lost, or counted twice")
			assert.LessOrEqual(t, len(failures(t, c)), 2, "running jobs")
			assert.GreaterOrEqual(t, sheet.count("Note in ")+len(failures(t, c)), int(processed))
			requireGone(t, c)
		})
	}
}

// A worker that gets no answer from Redis ends, and its running jobs are not lost.
func TestTermWhileRedisIsAwayLosesNoJob(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	sheet := newSheet(t)
	enqueue(t, s, sheet.job("Stubborn", "1m"), sheet.job("Note", ""))
	w := startForking(t, s, forkConfig{})
	eventually(t, func() bool { return sheet.count("Stubborn in ") == 1 }, "the job runs")
	require.NoError(t, syscall.Kill(s.PID, syscall.SIGSTOP))
	resume := time.AfterFunc(3*time.Second, func() { _ = syscall.Kill(s.PID, syscall.SIGCONT) })
	defer resume.Stop()
	w.signal(t, syscall.SIGTERM)
	select {
	case err := <-w.done:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		require.Fail(t, "it does not end")
	}
	c := s.Conn(t)
	require.Len(t, failures(t, c), 1)
	assert.Equal(t, "Resque::DirtyExit", failures(t, c)[0].Exception)
	assert.EqualValues(t, 1, do(t, c, "LLEN", "resque:queue:q"))
	requireGone(t, c)
}

func TestTermStopsAPausedWorker(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	sheet := newSheet(t)
	w := startForking(t, s, forkConfig{})
	eventually(t, func() bool { return w.said.count("worker started") == 1 }, "the worker runs")
	w.signal(t, syscall.SIGUSR2)
	eventually(t, func() bool { return w.said.count("paused: this worker was told") == 1 }, "paused")
	enqueue(t, s, sheet.job("Note", ""))
	w.signal(t, syscall.SIGTERM)
	require.NoError(t, <-w.done)
	assert.EqualValues(t, 1, do(t, s.Conn(t), "LLEN", "resque:queue:q"))
	assert.Zero(t, sheet.count("Note"))
	requireGone(t, s.Conn(t))
}
