package worker_test

import (
	"context"
	"fmt"
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
