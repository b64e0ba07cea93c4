package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// gate is a handler that reports each job and blocks it until the gate is opened. An
// obedient one also returns when its context ends.
type gate struct {
	begun, open chan struct{}
	ended       atomic.Int64
}

func newGate() *gate { return &gate{begun: make(chan struct{}, 100), open: make(chan struct{})} }

func (g *gate) mux(obedient bool) *resque.Mux {
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(ctx context.Context, _ *resque.Payload) error {
		defer g.ended.Add(1)
		g.begun <- struct{}{}
		if !obedient {
			ctx = context.WithoutCancel(ctx)
		}
		select {
		case <-g.open:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return mux
}

// A job that ignores the end of its context is recorded once, and its handler continues.
func TestJobThatIgnoresItsContextIsADirtyExit(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(w *worker.Worker){
		"after the term timeout": (*worker.Worker).Term,
		"at once":                (*worker.Worker).Abort,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			enqueue(t, s, exporters(3)...)
			g := newGate()
			w := newWorker(t, s, g.mux(false), worker.Config{
				Queues: []string{"exports"}, Concurrency: 2, StopTimeout: time.Nanosecond, StopGrace: 50 * time.Millisecond,
			})
			ended := goRun(t, w)
			<-g.begun
			<-g.begun
			stop(w)
			require.NoError(t, <-ended)
			assert.Zero(t, g.ended.Load(), "the handlers go on")
			c := s.Conn(t)
			records := failures(t, c)
			require.Len(t, records, 2)
			for _, f := range records {
				assert.Equal(t, "Resque::DirtyExit", f.Exception)
				assert.Equal(t, "Job still being processed", f.Error)
			}
			assert.EqualValues(t, 2, number(t, c, "resque:stat:processed"))
			assert.Zero(t, number(t, c, "resque:stat:failed"))
			assert.Len(t, queue(t, s, "exports"), 1)
			requireGone(t, c)

			close(g.open)
			eventually(t, func() bool { return g.ended.Load() == 2 }, "the handlers return")
			assert.Len(t, failures(t, c), 2, "and nothing more is recorded")
			assert.EqualValues(t, 2, number(t, c, "resque:stat:processed"))
		})
	}
}

// Without StopTimeout a worker waits for its jobs. With it, their contexts do not end
// before.
func TestStopLeavesJobsAloneUntilStopTimeout(t *testing.T) {
	t.Parallel()
	for name, timeout := range map[string]time.Duration{"no limit": 0, "an hour": time.Hour} {
		for order, stop := range map[string]func(w *worker.Worker, end context.CancelFunc){
			"Term":          func(w *worker.Worker, _ context.CancelFunc) { w.Term() },
			"Interrupt":     func(w *worker.Worker, _ context.CancelFunc) { w.Interrupt() },
			"Run's context": func(_ *worker.Worker, end context.CancelFunc) { end() },
		} {
			t.Run(name+", "+order, func(t *testing.T) {
				t.Parallel()
				s := redistest.Start(t)
				enqueue(t, s, exporters(2)...)
				g := newGate()
				stopping := make(chan struct{})
				w := newWorker(t, s, g.mux(true), worker.Config{
					Queues: []string{"exports"}, StopTimeout: timeout, Hooks: worker.Hooks{Shutdown: func() { close(stopping) }},
				})
				ctx, end := context.WithTimeout(t.Context(), time.Minute)
				defer end()
				ended := make(chan error, 1)
				go func() { ended <- w.Run(ctx) }()
				<-g.begun
				stop(w, end)
				<-stopping
				close(g.open)
				require.NoError(t, <-ended)
				assert.EqualValues(t, 1, number(t, s.Conn(t), "resque:stat:processed"))
				assert.Empty(t, failures(t, s.Conn(t)))
				assert.Len(t, queue(t, s, "exports"), 1)
			})
		}
	}
}

// After StopTimeout the contexts of running jobs end, unless GracefulTerm leaves
// that to Interrupt.
func TestStopTimeoutEndsJobs(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	enqueue(t, s, exporters(1)...)
	g := newGate()
	w := newWorker(t, s, g.mux(true), worker.Config{Queues: []string{"exports"}, StopTimeout: 20 * time.Millisecond})
	ended := goRun(t, w)
	<-g.begun
	w.Term()
	require.NoError(t, <-ended)
	requireFinished(t, s, 1, 1)
	failed := failures(t, s.Conn(t))
	assert.Equal(t, "Resque::TermException", failed[0].Exception)
	assert.Equal(t, "SIGTERM", failed[0].Error)
}

func TestGracefulTermAppliesStopTimeoutToInterruptOnly(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	enqueue(t, s, exporters(1)...)
	g := newGate()
	w := newWorker(t, s, g.mux(true), worker.Config{
		Queues: []string{"exports"}, StopTimeout: time.Nanosecond, GracefulTerm: true,
		Hooks: worker.Hooks{Shutdown: func() { g.begun <- struct{}{} }},
	})
	ended := goRun(t, w)
	<-g.begun
	w.Term()
	<-g.begun // it drains
	assert.Zero(t, g.ended.Load())
	w.Interrupt()
	require.NoError(t, <-ended)
	requireFinished(t, s, 1, 1)
}

// A job that returns right at its deadline is finished once, as done or as cut off.
func TestJobThatReturnsAtTheDeadlineIsFinishedOnce(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	const rounds = 40
	dirty := 0
	for round := range rounds {
		enqueue(t, s, exporters(1)...)
		const deadline = 5 * time.Millisecond
		mux := resque.NewMux()
		begun := make(chan struct{})
		mux.HandleFunc("Exporter", func(ctx context.Context, _ *resque.Payload) error {
			close(begun)
			<-ctx.Done()
			<-time.After(deadline - 200*time.Microsecond + time.Duration(round*10)*time.Microsecond)
			return nil
		})
		w := newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}, StopTimeout: time.Nanosecond, StopGrace: deadline})
		ended := goRun(t, w)
		<-begun
		w.Term()
		require.NoError(t, <-ended)
		c := s.Conn(t)
		require.EqualValues(t, round+1, number(t, c, "resque:stat:processed"), "each once")
		dirty = len(failures(t, c))
		requireGone(t, c)
	}
	t.Logf("%d of %d were cut off", dirty, rounds)
}

// Each job returns to the front when it ends, so the order of several may change.
func TestOnShutdownRequeueKeepsBytesAndFront(t *testing.T) {
	t.Parallel()
	for name, obedient := range map[string]bool{"obedient": true, "given up": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			c := s.Conn(t)
			var payloads []string
			for i := range 5 {
				payloads = append(payloads, fmt.Sprintf(`{"x":[],  "args":[1.50,"\u00e9",%d], "class":"Exporter","big":12345678901234567890}`, i))
				do(t, c, "RPUSH", "resque:queue:exports", payloads[i])
			}
			g := newGate()
			w := newWorker(t, s, g.mux(obedient), worker.Config{
				Queues: []string{"exports"}, Concurrency: 3, StopTimeout: time.Nanosecond, StopGrace: 200 * time.Millisecond, OnShutdown: worker.RequeueInterrupted,
			})
			ended := goRun(t, w)
			for range 3 {
				<-g.begun
			}
			w.Term()
			require.NoError(t, <-ended)
			close(g.open)
			assert.ElementsMatch(t, payloads, queue(t, s, "exports"))
			assert.Equal(t, payloads[3:], queue(t, s, "exports")[3:], "before those that were not begun")
			assert.Empty(t, failures(t, c))
			assert.Zero(t, number(t, c, "resque:stat:processed"))
			requireGone(t, c)
		})
	}
}

// A worker that stops may wait long for its jobs. Without heartbeats others would take it
// for dead.
func TestAStoppingWorkerStillBeats(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	enqueue(t, s, exporters(1)...)
	g := newGate()
	stopping := make(chan struct{})
	w := newWorker(t, s, g.mux(false), worker.Config{
		Queues: []string{"exports"}, HeartbeatInterval: 20 * time.Millisecond, Hooks: worker.Hooks{Shutdown: func() { close(stopping) }},
	})
	ended := goRun(t, w)
	open := sync.OnceFunc(func() { close(g.open) })
	defer open()
	<-g.begun
	w.Quit()
	<-stopping
	for range 2 { // one beat may have begun before
		do(t, c, "DEL", "resque:workers:heartbeat")
		eventually(t, func() bool { return do(t, c, "EXISTS", "resque:workers:heartbeat") == int64(1) }, "no heartbeat")
	}
	open()
	require.NoError(t, <-ended)
}

func TestStuckCountsJobsThatIgnoreTheirContexts(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	enqueue(t, s, exporters(1)...)
	g := newGate()
	log := &journal{}
	w := newWorker(t, s, g.mux(false), worker.Config{Queues: []string{"exports"}, Logger: log.logger()})
	ended := goRun(t, w)
	<-g.begun
	w.EndJobs()
	w.EndJobs() // it is still one job
	eventually(t, func() bool { return w.Stuck() == 1 }, "stuck")
	eventually(t, func() bool { return log.count("job is stuck") > 0 }, "told")
	close(g.open)
	eventually(t, func() bool { return w.Stuck() == 0 }, "not any more")
	w.Quit()
	require.NoError(t, <-ended)
	requireFinished(t, s, 1, 0)
}

func TestWorkerContinuesAfterEndJobs(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	enqueue(t, s, exporters(2)...)
	g := newGate()
	w := newWorker(t, s, g.mux(true), worker.Config{Queues: []string{"exports"}, OnShutdown: worker.RequeueInterrupted})
	ended := goRun(t, w)
	<-g.begun
	w.EndJobs()
	<-g.begun
	close(g.open)
	w.Quit()
	require.NoError(t, <-ended)
	requireFinished(t, s, 2, 1)
	assert.Equal(t, "Resque::TermException", failures(t, s.Conn(t))[0].Exception)
}

// diary has the lines that hooks have written, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) func() {
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.lines = append(d.lines, line)
	}
}

func (d *diary) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, ", ")
}

func (d *diary) hooks() worker.Hooks {
	return worker.Hooks{
		BeforeFirstFork: func(context.Context) error { d.note("first")(); return nil },
		BeforeFork:      func(context.Context, *resque.Payload) error { d.note("fork")(); return nil },
		BeforePause:     d.note("pausing"), AfterPause: d.note("resumed"),
		QueueEmpty: d.note("empty"), Shutdown: d.note("shutdown"), WorkerExit: d.note("exit"),
	}
}

func TestHooksAreCalledInOrder(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	d := &diary{}
	w := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}, Concurrency: 2, Hooks: d.hooks(), PollInterval: 20 * time.Millisecond})
	ended := goRun(t, w)
	ready(t, w)
	saw := func(want string) {
		t.Helper()
		eventually(t, func() bool { return d.text() == want }, want)
	}
	saw("first")
	w.Resume() // it is not paused: systemd's stop also sends CONT
	together(t, s, exporters(3))
	saw("first, empty")
	w.Pause()
	w.Pause()
	saw("first, empty, pausing")
	together(t, s, exporters(3))
	w.Resume()
	w.Resume()
	saw("first, empty, pausing, resumed, empty")
	w.Quit()
	w.Quit()
	w.Term()
	require.NoError(t, <-ended)
	assert.Equal(t, "first, empty, pausing, resumed, empty, shutdown, exit", d.text())
	requireFinished(t, s, 6, 0)
}

// together enqueues all jobs in one call, so that the queue is not empty in between.
func together(t *testing.T, s *redistest.Server, jobs []resque.Job) {
	t.Helper()
	receipts, err := s.Client(t).EnqueueAll(t.Context(), jobs)
	require.NoError(t, err)
	require.Len(t, jobs, receipts.Enqueued())
}

func TestHooksUntilEmpty(t *testing.T) {
	t.Parallel()
	for name, jobs := range map[string]int{"no jobs": 0, "jobs": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			enqueue(t, s, exporters(jobs)...)
			d := &diary{}
			w := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}, Concurrency: 3, Hooks: d.hooks(), UntilEmpty: true})
			for range 2 {
				require.NoError(t, w.Run(t.Context()))
			}
			want := "first, empty, exit, first, exit"
			if jobs == 0 {
				want = "first, exit, first, exit"
			}
			assert.Equal(t, want, d.text())
		})
	}
}

// As in Ruby, a paused worker with UntilEmpty returns.
func TestPausedWorkerUntilEmptyReturns(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	enqueue(t, s, exporters(2)...)
	w := newWorker(t, s, recordedMux(), worker.Config{
		Queues: []string{"exports"}, Concurrency: 2, UntilEmpty: true,
	})
	w.Pause() // for the next Run
	ended := goRun(t, w)
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		require.Fail(t, "it waits for a CONT")
	}
	c := s.Conn(t)
	assert.EqualValues(t, 2, number(t, c, "resque:stat:processed")+int64(len(queue(t, s, "exports"))))
	requireGone(t, c)
}

// An order that comes after Run is not for the next Run.
func TestOrdersAfterRunHaveNoEffect(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	var w *worker.Worker
	w = newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}, UntilEmpty: true, Hooks: worker.Hooks{
		WorkerExit: func() { w.Quit(); w.Term() },
	}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, w.Run(ctx))
	enqueue(t, s, exporters(3)...)
	require.NoError(t, w.Run(t.Context()))
	requireFinished(t, s, 3, 0)
}

func TestPanicsOfHooksAreLogged(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	enqueue(t, s, exporters(2)...)
	bad := func() { panic("a hook") }
	log := &journal{}
	w := newWorker(t, s, recordedMux(), worker.Config{
		Queues: []string{"exports"}, Logger: log.logger(),
		Hooks: worker.Hooks{BeforePause: bad, AfterPause: bad, QueueEmpty: bad, Shutdown: bad, WorkerExit: bad},
	})
	ended := goRun(t, w)
	for i, step := range []func(){func() {}, w.Pause, w.Resume, w.Quit} {
		step()
		eventually(t, func() bool { return log.count("a hook panicked") >= i+1 }, fmt.Sprint("step ", i))
	}
	require.NoError(t, <-ended)
	for _, hook := range []string{"QueueEmpty", "BeforePause", "AfterPause", "Shutdown", "WorkerExit"} {
		assert.Equal(t, 1, log.count("hook="+hook), hook)
	}
	requireFinished(t, s, 2, 0)
}

func TestErrorOfBeforeFirstForkEndsRun(t *testing.T) {
	t.Parallel()
	no := errors.New("no disk")
	for name, hook := range map[string]func(context.Context) error{
		"error": func(context.Context) error { return no },
		"panic": func(context.Context) error { panic(no) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			enqueue(t, s, exporters(1)...)
			w := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}, Hooks: worker.Hooks{BeforeFirstFork: hook}})
			require.ErrorIs(t, w.Run(t.Context()), no)
			assert.Len(t, queue(t, s, "exports"), 1)
			requireGone(t, s.Conn(t))
		})
	}
}

// Failure hooks are called once for each way in which a job fails.
func TestFailureHooksAreCalledOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		perform resque.HandlerFunc
		hook    error
		told    string
		records string
	}{
		"an error":     {func(context.Context, *resque.Payload) error { return errors.New("oh") }, nil, "oh", "oh"},
		"a panic":      {func(context.Context, *resque.Payload) error { panic("oh") }, nil, "panic: oh", "panic: oh"},
		"none":         {func(context.Context, *resque.Payload) error { return nil }, nil, "", ""},
		"DontPerform":  {func(context.Context, *resque.Payload) error { return resque.ErrDontPerform }, nil, "", ""},
		"a bad hook":   {func(context.Context, *resque.Payload) error { return errors.New("oh") }, errors.New("worse"), "oh", "oh (its failure hook also failed: worse)"},
		"its deadline": {func(ctx context.Context, _ *resque.Payload) error { <-ctx.Done(); return ctx.Err() }, nil, "Exporter: execution expired after 20ms", "Exporter: execution expired after 20ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			enqueue(t, s, exporters(1)...)
			var told []string
			mux := resque.NewMux()
			mux.Handle(resque.Route{Class: "Exporter", Handler: test.perform, Timeout: 20 * time.Millisecond}.OnFailure(
				func(_ context.Context, _ *resque.Payload, err error) error {
					told = append(told, err.Error())
					return test.hook
				}))
			w := newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}, UntilEmpty: true})
			require.NoError(t, w.Run(t.Context()))
			records := failures(t, s.Conn(t))
			if test.records == "" {
				assert.Empty(t, told)
				assert.Empty(t, records)
				return
			}
			assert.Equal(t, []string{test.told}, told)
			require.Len(t, records, 1)
			assert.Equal(t, test.records, records[0].Error)
		})
	}
}

// The sweeper calls the failure hooks of a dead worker's job.
func TestSweeperCallsFailureHooks(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	const id = "gone~go:1:exports"
	do(t, c, "SADD", "resque:workers", id)
	do(t, c, "HSET", "resque:workers:heartbeat", id, "2026-01-01T00:00:00+00:00")
	do(t, c, "HSET", "resque:goresque:intervals", id, "1 2")
	do(t, c, "SET", "resque:worker:"+id, `{"queue":"exports","run_at":"2026-01-01T00:00:00Z","payload":{"class":"Exporter","args":[5]}}`)
	told := make(chan error, 5)
	mux := resque.NewMux()
	mux.Handle(resque.Route{Class: "Exporter", Handler: resque.HandlerFunc(func(context.Context, *resque.Payload) error { return nil })}.OnFailure(
		func(_ context.Context, job *resque.Payload, err error) error {
			assert.Equal(t, id, job.Worker)
			told <- err
			return nil
		}))
	// If two sweeps are more than three quarters of an interval apart, the watch begins again.
	w := newWorker(t, s, mux, worker.Config{Queues: []string{"exports"}, HeartbeatInterval: time.Second, PruneAfter: 2 * time.Second})
	ended := goRun(t, w)
	var dead *resque.DeadWorkerError
	require.ErrorAs(t, <-told, &dead)
	w.Quit()
	require.NoError(t, <-ended)
	assert.Empty(t, told, "once")
	assert.True(t, slices.ContainsFunc(failures(t, c), func(f failureRecord) bool { return f.Exception == "Resque::PruneDeadWorkerDirtyExit" }))
}
