//go:build unix

package fork

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain makes the test binary act as a child when a pool starts it. Each child writes
// its pid to the file FORK_TEST_PIDS. While the file FORK_TEST_DIES exists, children end
// before they begin a job, or do not end when there are no more jobs, in the way that it
// names.
func TestMain(m *testing.M) {
	if !IsChild() {
		os.Exit(m.Run())
	}
	if err := beChild(); err != nil {
		fmt.Fprintln(os.Stderr, "test child:", err)
		os.Exit(1)
	}
}

var errStopped = errors.New("the parent stopped the job")

func beChild() error {
	if path := os.Getenv("FORK_TEST_PIDS"); path != "" {
		if err := appendLine(path, strconv.Itoa(os.Getpid())); err != nil {
			return err
		}
	}
	how, _ := os.ReadFile(os.Getenv("FORK_TEST_DIES"))
	switch string(how) {
	case "exit":
		os.Exit(9)
	case "kill":
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "before the job":
		if err := writeFrame(os.NewFile(4, "reports"), frameReady, nil, nil); err != nil {
			return err
		}
		_, _ = os.NewFile(3, "jobs").Read(make([]byte, 1))
		os.Exit(7)
	}
	err := Serve(context.Background(), func(string) error { return errStopped }, performTest)
	if string(how) == "linger" {
		never := make(chan os.Signal, 1)
		signal.Notify(never, syscall.SIGUSR1)
		<-never
	}
	return err
}

// performTest does what the payload names. The queue is a file to which it writes a line
// when it begins.
func performTest(ctx context.Context, job Job, returns func() bool) Report {
	what, arg, _ := strings.Cut(string(job.Payload), " ")
	_ = appendLine(job.Queue, "begun")
	switch what {
	case "echo":
		return Report{OK: true, Error: arg, Exception: strconv.Itoa(os.Getpid())}
	case "wait": // until the parent stops the job
		<-ctx.Done()
		return Report{Term: errors.Is(context.Cause(ctx), errStopped), Dirty: returns()}
	case "ignore":
		select {}
	case "exit":
		os.Exit(3)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "returns":
		return Report{OK: !returns()}
	case "inherits":
		return inherits(ctx)
	case "signals": // as a terminal sends them to the whole process group
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP} {
			_ = syscall.Kill(os.Getpid(), sig)
		}
		return Report{OK: true}
	}
	return Report{Error: "unknown payload " + what}
}

// inherits reports what a process that a job starts inherits from the child.
func inherits(ctx context.Context) Report {
	for _, has := range []string{": <&3", ": >&4", `test -n "$` + variable + `"`} {
		if exec.CommandContext(ctx, "sh", "-c", has).Run() == nil {
			return Report{Error: has}
		}
	}
	return Report{OK: true}
}

// appendLine appends a line to a file.
func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, line)
	return err
}

// readLines returns the lines of a file.
func readLines(path string) []string {
	text, _ := os.ReadFile(path)
	return strings.Fields(string(text))
}

// eventually waits until condition returns true.
func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 5*time.Millisecond, what)
}

// syncBuffer is a buffer for a log. It is safe for concurrent use.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), text)
}

// fixture is a pool, its log, and the files that its children and their jobs use.
type fixture struct {
	*Pool
	cfg               Config
	log               *syncBuffer
	begun, pids, dies string
}

func newFixture(t *testing.T, cfg Config) *fixture {
	t.Helper()
	dir := t.TempDir()
	f := &fixture{
		log: &syncBuffer{}, begun: filepath.Join(dir, "begun"),
		pids: filepath.Join(dir, "pids"), dies: filepath.Join(dir, "dies"),
	}
	cfg.JobsPerChild = max(cfg.JobsPerChild, 1)
	cfg.StopTimeout = cmp.Or(cfg.StopTimeout, time.Minute)
	cfg.Changed = func() {}
	cfg.Logger = slog.New(slog.NewTextHandler(f.log, nil))
	cfg.environ = []string{"FORK_TEST_PIDS=" + f.pids, "FORK_TEST_DIES=" + f.dies}
	f.cfg = cfg
	return f
}

// open opens a pool. It is closed at the end of the test, which fails if a child is
// left.
func open(t *testing.T, cfg Config) *fixture {
	t.Helper()
	f := newFixture(t, cfg)
	p, err := Open(t.Context(), f.cfg)
	require.NoError(t, err)
	f.Pool = p
	t.Cleanup(func() {
		p.Close()
		f.requireNoChild(t)
	})
	return f
}

// requireNoChild requires that every child has ended and was reaped.
func (f *fixture) requireNoChild(t *testing.T) {
	t.Helper()
	for _, line := range readLines(f.pids) {
		pid, err := strconv.Atoi(line)
		require.NoError(t, err)
		assert.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, "child %d is left", pid)
	}
}

// slot returns a slot, which is closed before the pool.
func (f *fixture) slot(t *testing.T) *Slot {
	t.Helper()
	s := f.Slot()
	t.Cleanup(s.Close)
	return s
}

// noStop is for jobs that need not be stopped.
func noStop() *Stop { return nil }

func (f *fixture) job(payload string) Job {
	return Job{Queue: f.begun, Worker: "web~go:1:q", Payload: []byte(payload)}
}

type result struct {
	Report
	err error
}

// start performs a job in a slot, and returns when the job has begun.
func (f *fixture) start(ctx context.Context, t *testing.T, s *Slot, killed <-chan struct{}, payload string, stop func() *Stop) <-chan result {
	t.Helper()
	before := len(readLines(f.begun))
	done := make(chan result, 1)
	go func() {
		report, err := s.Perform(ctx, killed, f.job(payload), stop)
		done <- result{report, err}
	}()
	eventually(t, func() bool { return len(readLines(f.begun)) > before }, "the job begins")
	return done
}

func requireEndedError(t *testing.T, err error, pattern string) {
	t.Helper()
	var ended *EndedError
	require.ErrorAs(t, err, &ended)
	assert.Regexp(t, pattern, ended.Error())
}

const (
	killedText = `^Child process received unhandled signal pid \d+ SIGKILL \(signal 9\)$`
	exitText   = `^Child process ended in the middle of its job: pid \d+ exit %d$`
)

func TestSlotPerformsEachJobInANewChild(t *testing.T) {
	t.Parallel()
	f := open(t, Config{})
	s := f.slot(t)
	var pids []string
	for i := range 3 {
		text := fmt.Sprintf("%d <é>", i)
		report, err := s.Perform(t.Context(), nil, f.job("echo "+text), noStop)
		require.NoError(t, err)
		assert.True(t, report.OK)
		assert.Equal(t, text, report.Error)
		pids = append(pids, report.Exception)
	}
	assert.Zero(t, s.PID())
	assert.NotEqual(t, pids[0], pids[1], "a child performs one job")
	assert.NotEqual(t, pids[1], pids[2])
}

func TestAChildPerformsJobsUpToItsLimits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cfg      Config
		children int // number of children that perform four jobs
	}{
		"two jobs":         {Config{JobsPerChild: 2}, 2},
		"a short lifetime": {Config{JobsPerChild: 4, Lifetime: time.Nanosecond}, 4},
		"many jobs":        {Config{JobsPerChild: 100}, 1},
		"a long lifetime":  {Config{JobsPerChild: 100, Lifetime: time.Hour}, 1},
		"the lower limit":  {Config{JobsPerChild: 1, Lifetime: time.Hour}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, test.cfg)
			s := f.slot(t)
			pids := map[string]bool{}
			for range 4 {
				report, err := s.Perform(t.Context(), nil, f.job("echo"), noStop)
				require.NoError(t, err)
				pids[report.Exception] = true
			}
			assert.Len(t, pids, test.children)
		})
	}
}

func TestPerformReturnsHowAChildEnded(t *testing.T) {
	t.Parallel()
	f := open(t, Config{JobsPerChild: 10})
	s := f.slot(t)
	for what, want := range map[string]string{"exit": fmt.Sprintf(exitText, 3), "kill": killedText} {
		_, err := s.Perform(t.Context(), nil, f.job(what), noStop)
		requireEndedError(t, err, want)
		assert.Zero(t, s.PID())
		report, err := s.Perform(t.Context(), nil, f.job("echo again"), noStop)
		require.NoError(t, err, "the slot still works")
		assert.True(t, report.OK)
	}
}

func TestAChildStopsAJobWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	f := open(t, Config{JobsPerChild: 10})
	s := f.slot(t)
	for _, returns := range []bool{true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		done := f.start(ctx, t, s, nil, "wait", func() *Stop { calls++; return &Stop{Returns: returns} })
		assert.NotZero(t, s.PID())
		cancel()
		r := <-done
		require.NoError(t, r.err)
		assert.True(t, r.Term, "the context ends with the cause that was passed to Serve")
		assert.Equal(t, returns, r.Dirty)
		assert.Equal(t, 1, calls)
	}
	report, err := s.Perform(t.Context(), nil, f.job("returns"), noStop)
	require.NoError(t, err)
	assert.True(t, report.OK, "the next job is not stopped")
}

// A child is killed after StopTimeout, whether a Stop was sent or not.
func TestAChildThatDoesNotStopIsKilled(t *testing.T) {
	t.Parallel()
	f := open(t, Config{StopTimeout: 10 * time.Millisecond})
	s := f.slot(t)
	for name, stop := range map[string]*Stop{"ignore": {}, "wait": nil} {
		ctx, cancel := context.WithCancel(t.Context())
		done := f.start(ctx, t, s, nil, name, func() *Stop { return stop })
		cancel()
		requireEndedError(t, (<-done).err, killedText)
	}
}

func TestAChildIsKilledWhenKilledIsClosed(t *testing.T) {
	t.Parallel()
	f := open(t, Config{JobsPerChild: 10})
	s := f.slot(t)
	killed := make(chan struct{})
	done := f.start(t.Context(), t, s, killed, "ignore", noStop)
	close(killed)
	requireEndedError(t, (<-done).err, killedText)
	_, err := s.Perform(t.Context(), killed, f.job("ignore"), noStop)
	if !errors.Is(err, ErrNotBegun) { // the child is killed before or after it has begun the job
		requireEndedError(t, err, killedText)
	}
	report, err := s.Perform(t.Context(), nil, f.job("echo"), noStop)
	require.NoError(t, err, "only that job is affected")
	assert.True(t, report.OK)
}

// Signals that a terminal sends to the whole process group are for the parent.
func TestAChildDropsSignals(t *testing.T) {
	t.Parallel()
	f := open(t, Config{})
	report, err := f.slot(t).Perform(t.Context(), nil, f.job("signals"), noStop)
	require.NoError(t, err)
	assert.True(t, report.OK)
}

// A job may be too large for any child.
func TestPerformGivesUpIfNoChildBeginsTheJob(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	require.NoError(t, os.WriteFile(f.dies, []byte("before the job"), 0o600))
	p, err := Open(t.Context(), f.cfg)
	require.NoError(t, err)
	defer p.Close()
	_, err = p.Slot().Perform(t.Context(), nil, f.job("echo"), noStop)
	requireEndedError(t, err, fmt.Sprintf(exitText, 7))
	assert.Empty(t, readLines(f.begun))
}

func TestContextEndsTheWaitForAChild(t *testing.T) {
	t.Parallel()
	f := open(t, Config{})
	require.NoError(t, os.WriteFile(f.dies, []byte("kill"), 0o600))
	s := f.slot(t)
	_, err := s.Perform(t.Context(), nil, f.job("kill"), noStop) // takes the spare child
	require.Error(t, err)
	eventually(t, func() bool { return f.log.count("a child could not be started") > 0 }, "no child")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.Perform(ctx, nil, f.job("echo"), noStop)
		done <- err
	}()
	cancel()
	require.ErrorIs(t, <-done, ErrNotBegun)
	require.NoError(t, os.Remove(f.dies))
	report, err := s.Perform(t.Context(), nil, f.job("echo"), noStop)
	require.NoError(t, err, "children start again")
	assert.True(t, report.OK)
}

func TestASpareThatEndsIsReplaced(t *testing.T) {
	t.Parallel()
	f := open(t, Config{})
	spares := readLines(f.pids)
	require.Len(t, spares, 1, "one spare is kept")
	pid, err := strconv.Atoi(spares[0])
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	eventually(t, func() bool { return f.log.count("an idle child has ended, starting another") == 1 }, "it is logged")
	report, err := f.slot(t).Perform(t.Context(), nil, f.job("echo"), noStop)
	require.NoError(t, err)
	assert.NotEqual(t, spares[0], report.Exception)
}

// If the first child exits, the program does not call Serve, and Open fails at once. If
// the first child is killed, there may be another reason, and Open tries three times.
func TestOpenFailsIfNoChildGetsReady(t *testing.T) {
	t.Parallel()
	for how, test := range map[string]struct {
		want   string
		starts int
	}{
		"exit": {"must call worker.ServeChild if worker.IsChild() is true", 1},
		"kill": {"a child was killed before it was ready: pid", 3},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, Config{})
			require.NoError(t, os.WriteFile(f.dies, []byte(how), 0o600))
			_, err := Open(t.Context(), f.cfg)
			require.ErrorContains(t, err, test.want)
			assert.Len(t, readLines(f.pids), test.starts)
			f.requireNoChild(t)
		})
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	_, err := Open(ctx, f.cfg)
	require.ErrorIs(t, err, errStopped)
	f.requireNoChild(t)
}

func TestCloseEndsChildrenThatAreStarting(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	p, err := Open(t.Context(), f.cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var taking sync.WaitGroup
	for range 4 {
		taking.Go(func() {
			if c, ok := p.take(ctx); ok {
				c.retire()
			}
		})
	}
	eventually(t, func() bool { return len(readLines(f.pids)) > 1 }, "other children are started")
	cancel()
	taking.Wait()
	p.Close()
	f.requireNoChild(t)
}

// A handler may keep its process from ending.
func TestARetiredChildThatDoesNotEndIsKilled(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	require.NoError(t, os.WriteFile(f.dies, []byte("linger"), 0o600))
	p, err := Open(t.Context(), f.cfg)
	require.NoError(t, err)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		p.Close()
	}()
	select {
	case <-closed:
		f.requireNoChild(t)
	case <-time.After(time.Minute):
		t.Fatal("the pool waits for a child that does not end")
	}
}
