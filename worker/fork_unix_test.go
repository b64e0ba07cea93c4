//go:build unix

package worker_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// sheet is a file that jobs write to.
type sheet struct{ path string }

func newSheet(t *testing.T) sheet {
	t.Helper()
	return sheet{filepath.Join(t.TempDir(), "sheet")}
}

func (s sheet) job(class, what string) resque.Job {
	return resque.Job{Queue: "q", Class: class, Args: []any{s.path, what}}
}

func (s sheet) lines() []string {
	text, _ := os.ReadFile(s.path)
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// count returns how many lines begin with text.
func (s sheet) count(text string) int {
	n := 0
	for _, line := range s.lines() {
		if strings.HasPrefix(line, text) {
			n++
		}
	}
	return n
}

// pids returns the processes that performed jobs of a class, in order.
func (s sheet) pids(class string) []string {
	var pids []string
	for _, line := range s.lines() {
		if pid, ok := strings.CutPrefix(line, class+" in "); ok {
			pids = append(pids, pid)
		}
	}
	return pids
}

func distinct(values []string) int { return len(slices.Compact(slices.Sorted(slices.Values(values)))) }

// forkUntilEmpty performs jobs in children and returns the failures.
func forkUntilEmpty(t *testing.T, cfg worker.Config, jobs ...resque.Job) (*redistest.Server, []failureRecord) {
	t.Helper()
	s := redistest.Start(t)
	enqueue(t, s, jobs...)
	cfg.Queues, cfg.ForkPerJob, cfg.UntilEmpty = []string{"q"}, true, true
	require.NoError(t, newWorker(t, s, forkJobs(), cfg).Run(t.Context()))
	requireGone(t, s.Conn(t))
	return s, failures(t, s.Conn(t))
}

// The worker records each way in which a job ends in a child, and continues.
func TestWorkerRecordsEachEndInAChild(t *testing.T) {
	t.Parallel()
	here := fmt.Sprintf("hook in %d: ", os.Getpid())
	for _, test := range []struct {
		class, what      string
		exception, error string // the error is a pattern
		failed           int    // what stat:failed counts
		parentHook       bool
	}{
		{class: "Note"},
		{class: "Skip"},
		{class: "Print", what: "hello"},
		{"Exit", "abc", "Resque::DirtyExit", `^Child process ended in the middle of its job: pid \d+ exit 3$`, 0, true},
		{"Exit", "", "Resque::DirtyExit", `^Child process ended in the middle of its job: pid \d+ exit 0$`, 0, true},
		{"Kill", "KILL", "Resque::DirtyExit", `^Child process received unhandled signal pid \d+ SIGKILL \(signal 9\)$`, 0, true},
		{"Kill", "SEGV", "Resque::DirtyExit", `^Child process received unhandled signal pid \d+ SIG[A-Z]+ \(signal \d+\)( \(core dumped\))?$|exit 2$`, 0, true},
		{"Panic", "oh", "PanicError", `^panic: oh$`, 1, false},
		{"Goexit", "", "errors.errorString", `runtime.Goexit`, 1, false},
		{"Fail", "no <b>&\u2028 é", "Acme::Trouble", `^no <b>&\x{2028} é$`, 1, false},
		{"Fail", strings.Repeat("x", 1<<20), "Acme::Trouble", `^x{100}`, 1, false},
		{"Nope", "", "NameError", `^uninitialized constant Nope `, 1, false},
		{"Cut", "", "Resque::DirtyExit", `^cut off$`, 0, false},
	} {
		t.Run(test.class+" "+test.what[:min(len(test.what), 8)], func(t *testing.T) {
			t.Parallel()
			sheet := newSheet(t)
			s, failed := forkUntilEmpty(t, worker.Config{}, sheet.job(test.class, test.what), sheet.job("Note", "after it"))
			c := s.Conn(t)
			assert.EqualValues(t, 2, number(t, c, "resque:stat:processed"))
			assert.EqualValues(t, test.failed, number(t, c, "resque:stat:failed"))
			assert.Equal(t, 1, min(1, sheet.count("Note in ")), "the worker continues")
			if test.exception == "" {
				assert.Empty(t, failed)
				assert.Zero(t, sheet.count("hook"))
				return
			}
			require.Len(t, failed, 1)
			assert.Equal(t, test.exception, failed[0].Exception)
			assert.Regexp(t, test.error, failed[0].Error)
			assert.Equal(t, []any{sheet.path, test.what}, failed[0].Payload.Args)
			switch test.class {
			case "Fail":
				assert.Equal(t, []string{"acme.rb:1", "acme.rb:2"}, failed[0].Backtrace)
			case "Panic":
				assert.Contains(t, strings.Join(failed[0].Backtrace, "\n"), "fork_jobs_unix_test.go")
			case "Nope":
				return // has no hooks
			}
			assert.Equal(t, 1, sheet.count("hook in "), "called once: %q", sheet.lines())
			assert.Equal(t, test.parentHook, sheet.count(here) == 1, "called by the process that records the failure: %q", sheet.lines())
		})
	}
}

func TestPayloadsInAChild(t *testing.T) {
	t.Parallel()
	t.Run("5 MB", func(t *testing.T) {
		t.Parallel()
		sheet := newSheet(t)
		_, failed := forkUntilEmpty(t, worker.Config{}, sheet.job("Note", strings.Repeat("5", 5<<20)))
		assert.Empty(t, failed)
		assert.Equal(t, 1, sheet.count("Note in "))
	})
	t.Run("unreadable", func(t *testing.T) {
		t.Parallel()
		s := redistest.Start(t)
		do(t, s.Conn(t), "RPUSH", "resque:queue:q", `{"class":"Note"`, `[]`)
		w := newWorker(t, s, forkJobs(), worker.Config{Queues: []string{"q"}, ForkPerJob: true, UntilEmpty: true})
		require.NoError(t, w.Run(t.Context()))
		failed := failures(t, s.Conn(t))
		require.Len(t, failed, 2)
		assert.Equal(t, "Resque::Helpers::DecodeException", failed[0].Exception)
		assert.Equal(t, []any{`{"class":"Note"`}, failed[0].Payload.Args)
	})
}

func TestHooksAroundTheFork(t *testing.T) {
	t.Parallel()
	sheet := newSheet(t)
	var before atomic.Int64
	hooks := worker.Hooks{BeforeFork: func(_ context.Context, job *resque.Payload) error {
		if before.Add(1) == 3 {
			panic("no fork today")
		}
		return jotJob(job, fmt.Sprintf("before fork in %d", os.Getpid()))
	}}
	_, failed := forkUntilEmpty(t, worker.Config{Hooks: hooks}, sheet.job("Note", "1"), sheet.job("Note", "2"), sheet.job("Note", "3"))
	assert.Equal(t, 2, sheet.count(fmt.Sprintf("before fork in %d", os.Getpid())))
	assert.Equal(t, 2, sheet.count("after fork"))
	assert.True(t, strings.HasPrefix(sheet.lines()[1], "after fork"), "%q", sheet.lines())
	require.Len(t, failed, 1)
	assert.Equal(t, "before the fork: panic: no fork today", failed[0].Error)
	assert.Equal(t, 1, sheet.count(fmt.Sprintf("hook in %d", os.Getpid())), "%q", sheet.lines())
}

func TestSlotsHaveTheirOwnChildren(t *testing.T) {
	t.Parallel()
	sheet := newSheet(t)
	s := redistest.Start(t)
	const slots = 4
	for range slots {
		enqueue(t, s, sheet.job("Polite", "1m"))
	}
	w := newWorker(t, s, forkJobs(), worker.Config{Queues: []string{"q"}, ForkPerJob: true, Concurrency: slots, StopTimeout: time.Nanosecond})
	ended := goRun(t, w)
	eventually(t, func() bool { return sheet.count("Polite in ") == slots }, "all at once")
	assert.Equal(t, slots, distinct(sheet.pids("Polite")))
	w.Term()
	require.NoError(t, <-ended)
	failed := failures(t, s.Conn(t))
	require.Len(t, failed, slots)
	for _, f := range failed {
		assert.Equal(t, "Resque::TermException", f.Exception)
	}
}

// Without StopTimeout and KillChildren a worker waits for its child processes.
func TestStopWaitsForChildrenWithoutStopTimeout(t *testing.T) {
	t.Parallel()
	sheet := newSheet(t)
	s := redistest.Start(t)
	enqueue(t, s, sheet.job("Polite", "300ms"))
	stopping := make(chan struct{})
	w := newWorker(t, s, forkJobs(), worker.Config{
		Queues: []string{"q"}, ForkPerJob: true, Hooks: worker.Hooks{Shutdown: func() { close(stopping) }},
	})
	ended := goRun(t, w)
	eventually(t, func() bool { return sheet.count("Polite in ") == 1 }, "it begins")
	w.Term()
	<-stopping
	require.NoError(t, <-ended)
	assert.Empty(t, failures(t, s.Conn(t)))
	assert.EqualValues(t, 1, number(t, s.Conn(t), "resque:stat:processed"))
}

func TestKillChildrenKillsOnEndJobsAndTerm(t *testing.T) {
	t.Parallel()
	sheet := newSheet(t)
	s := redistest.Start(t)
	enqueue(t, s, sheet.job("Polite", "1m"), sheet.job("Polite", "1m"))
	w := newWorker(t, s, forkJobs(), worker.Config{Queues: []string{"q"}, ForkPerJob: true, KillChildren: true})
	ended := goRun(t, w)
	for i, stop := range []func(){w.EndJobs, w.Term} {
		eventually(t, func() bool { return sheet.count("Polite in ") == i+1 }, "it begins")
		stop()
	}
	require.NoError(t, <-ended)
	failed := failures(t, s.Conn(t))
	require.Len(t, failed, 2)
	for _, f := range failed {
		assert.Equal(t, "Resque::DirtyExit", f.Exception)
	}
}

func TestJobsPerChild(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cfg  worker.Config
		pids int
	}{
		"one":                 {worker.Config{}, 7},
		"three":               {worker.Config{JobsPerChild: 3}, 3},
		"until it is old":     {worker.Config{ChildLifetime: time.Hour}, 1},
		"as old as it begins": {worker.Config{JobsPerChild: 100, ChildLifetime: 1}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sheet := newSheet(t)
			jobs := slices.Repeat([]resque.Job{sheet.job("Note", "")}, 7)
			_, failed := forkUntilEmpty(t, test.cfg, jobs...)
			assert.Empty(t, failed)
			assert.Equal(t, 7, sheet.count("Note in "))
			assert.Equal(t, test.pids, distinct(sheet.pids("Note")), "%q", sheet.lines())
		})
	}
}

func TestTimeoutEndsAJobInAChild(t *testing.T) {
	t.Parallel()
	for _, class := range []string{"Polite", "Stubborn", "Busy", "Deaf", "Garbage"} {
		t.Run(class, func(t *testing.T) {
			t.Parallel()
			sheet := newSheet(t)
			_, failed := forkUntilEmpty(t, worker.Config{Timeout: 500 * time.Millisecond, StopGrace: 300 * time.Millisecond},
				sheet.job(class, "1h"), sheet.job("Note", ""))
			require.Len(t, failed, 1)
			assert.Equal(t, 1, sheet.count("Note in "), "the worker continues")
			if class == "Deaf" || class == "Garbage" { // they report nothing more, so the worker need not wait for their time
				assert.Contains(t, []string{"Timeout::Error", "Resque::DirtyExit"}, failed[0].Exception)
				return
			}
			assert.Equal(t, "Timeout::Error", failed[0].Exception)
			assert.Equal(t, class+": execution expired after 500ms", failed[0].Error)
		})
	}
}

// A job may close the pipe, pass it to another process, or write to it: the worker does
// not wait for ever, and does not take other bytes for a report.
func TestChildWithABrokenPipeIsADirtyExit(t *testing.T) {
	t.Parallel()
	for _, class := range []string{"Deaf", "Heir", "Garbage"} {
		t.Run(class, func(t *testing.T) {
			t.Parallel()
			sheet := newSheet(t)
			_, failed := forkUntilEmpty(t, worker.Config{}, sheet.job(class, "1h"), sheet.job("Note", ""))
			require.Len(t, failed, 1)
			assert.Equal(t, "Resque::DirtyExit", failed[0].Exception)
			assert.Equal(t, 1, sheet.count("Note in "))
			for _, line := range sheet.lines() {
				var pid int
				if n, _ := fmt.Sscanf(line, "heir %d", &pid); n == 1 {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		})
	}
}

func TestEndJobsInChildrenCallsFailureHooks(t *testing.T) {
	t.Parallel()
	sheet := newSheet(t)
	s := redistest.Start(t)
	enqueue(t, s, sheet.job("Polite", "1m"))
	w := newWorker(t, s, forkJobs(), worker.Config{
		Queues: []string{"q"}, ForkPerJob: true, StopTimeout: time.Nanosecond, OnShutdown: worker.RequeueInterrupted,
	})
	ended := goRun(t, w)
	eventually(t, func() bool { return sheet.count("Polite in ") == 1 }, "it begins")
	w.EndJobs()
	eventually(t, func() bool { return number(t, s.Conn(t), "resque:stat:failed") == 1 }, "it fails: the worker goes on")
	assert.Equal(t, 1, sheet.count("hook in "))
	w.Quit()
	require.NoError(t, <-ended)
}

// A job that returns to its queue is not a failure.
func TestReturnedJobOfAChildCallsNoFailureHooks(t *testing.T) {
	t.Parallel()
	sheet := newSheet(t)
	s := redistest.Start(t)
	enqueue(t, s, sheet.job("Polite", "1m"))
	w := newWorker(t, s, forkJobs(), worker.Config{
		Queues: []string{"q"}, ForkPerJob: true, StopTimeout: time.Nanosecond, OnShutdown: worker.RequeueInterrupted,
	})
	ended := goRun(t, w)
	eventually(t, func() bool { return sheet.count("Polite in ") == 1 }, "it begins")
	w.Term()
	require.NoError(t, <-ended)
	assert.Zero(t, sheet.count("hook in "))
	assert.EqualValues(t, 1, do(t, s.Conn(t), "LLEN", "resque:queue:q"))
	assert.Zero(t, number(t, s.Conn(t), "resque:stat:processed"))
}

// A job that fails for another reason while its worker stops is a failure.
func TestAFailureInAChildThatIsToldToEndTellsTheHooks(t *testing.T) {
	t.Parallel()
	sheet := newSheet(t)
	s := redistest.Start(t)
	enqueue(t, s, sheet.job("Fails", "full disk"))
	w := newWorker(t, s, forkJobs(), worker.Config{
		Queues: []string{"q"}, ForkPerJob: true, StopTimeout: time.Nanosecond, StopGrace: time.Minute, OnShutdown: worker.RequeueInterrupted,
	})
	ended := goRun(t, w)
	eventually(t, func() bool { return sheet.count("Fails in ") == 1 }, "it begins")
	w.Term()
	require.NoError(t, <-ended)
	assert.Equal(t, 1, sheet.count("hook in "), "the hook is told")
	assert.EqualValues(t, 0, do(t, s.Conn(t), "LLEN", "resque:queue:q"))
	assert.EqualValues(t, 1, do(t, s.Conn(t), "LLEN", "resque:failed"))
}

// A job also ends if it is told to before or while its child gets it.
func TestTermWhileAChildGetsItsJobEndsTheJob(t *testing.T) {
	t.Parallel()
	sheet := newSheet(t)
	s := redistest.Start(t)
	enqueue(t, s, sheet.job("Polite", "1m"))
	var w *worker.Worker
	begun, release := make(chan struct{}), make(chan struct{})
	w = newWorker(t, s, forkJobs(), worker.Config{
		Queues: []string{"q"}, ForkPerJob: true, StopTimeout: time.Nanosecond, StopGrace: 30 * time.Second,
		Hooks: worker.Hooks{BeforeFork: func(ctx context.Context, _ *resque.Payload) error {
			close(begun)
			<-release
			<-ctx.Done()
			return nil
		}},
	})
	ended := goRun(t, w)
	<-begun
	w.Term()
	close(release)
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		require.Fail(t, "the order is lost")
	}
	c := s.Conn(t)
	assert.EqualValues(t, 1, number(t, c, "resque:stat:failed")+do(t, c, "LLEN", "resque:queue:q").(int64), "ended, or never begun")
}

func TestGrandchildrenGetNeitherPipesNorMarker(t *testing.T) {
	t.Parallel()
	needProc(t)
	sheet := newSheet(t)
	_, failed := forkUntilEmpty(t, worker.Config{}, sheet.job("Look", ""))
	require.Empty(t, failed)
	text := strings.Join(sheet.lines(), "\n")
	assert.NotContains(t, text, "GORESQUE_CHILD")
	assert.Contains(t, text, "PATH=")
	assert.NotRegexp(t, regexp.MustCompile(` [34] -> pipe:`), text)
}

func TestChildrenWriteToTheWorkersOutput(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	sheet := newSheet(t)
	enqueue(t, s, sheet.job("Print", "hello"))
	w := startForking(t, s, forkConfig{})
	eventually(t, func() bool { return w.said.count("job done") == 1 }, "performed")
	assert.Equal(t, 1, w.said.count("to stdout: hello\n"))
	assert.Equal(t, 1, w.said.count("to stderr: hello\n"))
	w.signal(t, syscall.SIGTERM)
	require.NoError(t, <-w.done)
}

func TestProgramWithoutServeChildGetsAnError(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	w := startForking(t, s, forkConfig{environ: []string{"WORKER_TEST_FORGETS=1"}})
	require.Error(t, <-w.done)
	assert.Positive(t, w.said.count("must call worker.ServeChild if worker.IsChild()"))
	assert.Positive(t, w.said.count("it must call ServeChild and not Run"), "its children print the same")
	requireGone(t, s.Conn(t))
}
