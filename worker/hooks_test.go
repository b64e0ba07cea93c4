package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

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

// As in Ruby, the worker is still registered when the hook runs.
func TestQueueEmptyIsCalledWhileRegistered(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	enqueue(t, s, exporters(1)...)
	var registered []resque.RegisteredWorker
	w := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}, Concurrency: 2, UntilEmpty: true, Hooks: worker.Hooks{
		QueueEmpty: func() { registered, _ = s.Client(t).Workers(t.Context()) },
	}})
	require.NoError(t, w.Run(t.Context()))
	assert.Len(t, registered, 2)
}

// Shutdown is also called if the worker was told to stop while a hook ran.
func TestShutdownIsCalledAfterASlowHook(t *testing.T) {
	t.Parallel()
	for range 10 { // it depended on chance
		s := redistest.Start(t)
		enqueue(t, s, exporters(1)...)
		d, client := &diary{}, s.Client(t)
		ctx, cancel := context.WithCancel(t.Context())
		hooks := d.hooks()
		hooks.QueueEmpty = func() {
			cancel()
			assert.Eventually(t, func() bool {
				left, err := client.Workers(t.Context())
				return err == nil && len(left) == 0
			}, time.Minute, 5*time.Millisecond, "the worker leaves")
		}
		w := newWorker(t, s, recordedMux(), worker.Config{Queues: []string{"exports"}, Hooks: hooks})
		require.NoError(t, w.Run(ctx))
		assert.Equal(t, "first, shutdown, exit", d.text())
	}
}
