package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/fork"
	"github.com/goresque/goresque/resque"
)

// Run performs jobs until the worker is told to stop, or, with UntilEmpty, until no
// job is left. The end of ctx has the effect of [Worker.Term]. Run then waits for
// the running jobs as [Config] says, and returns nil when their results are
// recorded and the worker is unregistered. It returns an error if it cannot reach
// Redis at the start, or if it cannot write the result of a job at the end. A
// second Run at the same time is an error.
//
// Ruby: Resque::Worker#work.
func (w *Worker) Run(ctx context.Context) error {
	if IsChild() {
		return errors.New("worker: this process is a worker's child: it must call ServeChild and not Run (see IsChild)")
	}
	if !w.running.TryLock() {
		return errors.New("worker: this worker is already running")
	}
	defer w.running.Unlock()
	w.seal()
	taking, drain := context.WithCancel(resque.WithClient(ctx, w.client))
	defer drain()
	r := newRun(w, min(w.cfg.PollInterval, time.Second))
	over := make(chan struct{})
	var stopping sync.WaitGroup
	stopping.Go(func() { newStopper(r, drain).follow(ctx, over) })
	err := r.run(taking)
	close(over)
	stopping.Wait()
	call(w.cfg.Logger, "WorkerExit", w.cfg.Hooks.WorkerExit)
	w.forgetOrders()
	return err
}

// seal makes the worker's mux refuse further classes.
func (w *Worker) seal() {
	if mux, ok := w.handler.(*resque.Mux); ok {
		mux.Seal()
	}
}

// WorkOff performs the waiting jobs and the jobs that they enqueue, one after the
// other, until none is left or ctx ends. It runs in the caller's goroutine, so that
// handlers in tests can call FailNow. It is like [Worker.Run] with UntilEmpty and
// one slot, but ignores Quit, Pause and the other methods, refuses ForkPerJob, and
// looks at new queues at once. If a handler ends its goroutine, its job is recorded
// as a failure, and the caller's goroutine ends.
//
// Ruby: Resque::Worker#work with an interval of 0 and FORK_PER_JOB=false.
func (w *Worker) WorkOff(ctx context.Context) (err error) {
	switch {
	case IsChild():
		return errors.New("worker: this process is a worker's child: it must call ServeChild and not WorkOff (see IsChild)")
	case w.cfg.ForkPerJob:
		return errors.New("worker: WorkOff performs jobs in the caller's goroutine and not in children: unset ForkPerJob")
	case !w.running.TryLock():
		return errors.New("worker: this worker is already running")
	}
	defer w.running.Unlock()
	w.seal()
	defer call(w.cfg.Logger, "WorkerExit", w.cfg.Hooks.WorkerExit)
	alone := &Worker{client: w.client, handler: w.handler, backend: w.backend, cfg: w.cfg}
	alone.cfg.UntilEmpty, alone.cfg.Concurrency, alone.cfg.MaxWaiting = true, 1, -1
	taking, drain := context.WithCancel(resque.WithClient(ctx, w.client))
	defer drain()
	r := newRun(alone, 0) // a list of known queues of age 0: the order of jobs is the same each time
	if _, err := r.start(taking); err != nil {
		return r.notStarted(taking, err)
	}
	w.setIDs(r.registry.ids)
	defer w.setIDs(nil)
	defer func() {
		registered, lost := r.exchange.Lost()
		err = errors.Join(lost, r.registry.leave(taking, registered...))
	}()
	r.workHere(taking, drain)
	return nil
}

// run is one Run of a worker: the slots, the heartbeat, the sweeper and the
// exchange's polls.
type run struct {
	*Worker
	sweeper    *sweeper
	registry   *registry
	exchange   *exchange.Exchange
	admissions *exchange.Admissions
	admitter   *admitter
	stops      *stops
	redis      *exchange.Outage
	batches    *batches
	metrics    *metrics // nil if jobs are not measured
	changed    pulse
	drained    chan chan struct{} // no jobs are left; the receiver closes the sent channel when the hook has returned

	mu    sync.Mutex
	slots []*slot // set when they are registered
}

func newRun(w *Worker, queuesMaxAge time.Duration) *run {
	r := &run{Worker: w, drained: make(chan chan struct{}), changed: newPulse(w.cfg)}
	r.redis = &exchange.Outage{Begun: "redis is away, trying again", Over: "redis is back", Attrs: resque.LogAttrs, Logger: w.cfg.Logger}
	r.batches = newBatches(w.backend)
	r.metrics = newMetrics(w.backend, w.cfg, resque.LogAttrs)
	r.sweeper = newSweeper(w.client, w.backend, w.handler, w.cfg)
	r.registry = &registry{backend: w.backend, dead: r.sweeper, cfg: w.cfg, beaten: r.endLost}
	r.stops = &stops{run: r, control: newControl(r), began: make(chan struct{}, 1)}
	r.admissions = exchange.NewAdmissions(w.backend, r.redis, resque.LogAttrs, w.cfg.Logger)
	r.admitter = &admitter{jobs: map[string]*runningJob{}}
	r.admitter.slot = r.newSlot("", nil)
	cfg := w.cfg.exchange(queuesMaxAge, r.changed.beat)
	cfg.Admitter = r.admitter
	r.exchange = exchange.New(w.backend, r.redis, cfg)
	return r
}

// run registers the worker, runs its slots, and unregisters it. It returns when
// taking has ended, or the queues are empty, and all jobs have ended.
func (r *run) run(taking context.Context) error {
	children, err := r.start(taking)
	if err != nil {
		return r.notStarted(taking, err)
	}
	defer children.Close()
	ids := r.registry.ids
	r.setIDs(ids)
	defer r.setIDs(nil)
	r.cfg.Logger.Info("worker started", "worker", ids[0], "slots", len(ids), "queues", r.cfg.Queues)
	r.work(taking, children)
	registered, err := r.exchange.Lost()
	if leaving := r.registry.leave(taking, registered...); leaving != nil {
		err = errors.Join(err, fmt.Errorf("worker: leaving: %w", leaving))
	}
	r.cfg.Logger.Info("worker stopped", "worker", ids[0])
	return err
}

// start calls BeforeFirstFork, starts child processes, and registers the worker.
//
// Ruby: Resque::Worker#startup.
func (r *run) start(ctx context.Context) (*fork.Pool, error) {
	if hook := r.cfg.Hooks.BeforeFirstFork; hook != nil {
		if err := guard(func() error { return hook(ctx) }); err != nil {
			return nil, fmt.Errorf("before the first fork: %w", err)
		}
	}
	var children *fork.Pool
	if r.cfg.ForkPerJob {
		var err error
		if children, err = fork.Open(ctx, r.cfg.children(r.changed.beat)); err != nil {
			return nil, err
		}
	}
	if _, err := r.registry.enter(ctx); err != nil {
		children.Close()
		return nil, err
	}
	return children, nil
}

// notStarted unregisters the slots that were registered. It returns no error if the
// worker was told to stop while it started.
func (r *run) notStarted(ctx context.Context, err error) error {
	leaving := r.registry.leave(ctx)
	if ctx.Err() != nil {
		err = nil
	}
	if err = errors.Join(err, leaving); err != nil {
		return fmt.Errorf("worker: starting: %w", err)
	}
	return nil
}

// work runs the slots until they have all stopped. The heartbeat goes on until the
// last job has ended.
func (r *run) work(taking context.Context, children *fork.Pool) {
	alive, die := context.WithCancel(context.WithoutCancel(taking))
	idle, stop := context.WithCancel(taking)
	var slots, others sync.WaitGroup
	others.Go(func() { r.registry.beat(alive, r.redis) })
	others.Go(func() { r.sweeper.run(idle, r.registry.ids) })
	others.Go(func() { r.exchange.Run(idle) })
	others.Go(func() { r.watch(alive) })
	others.Go(func() { r.stops.watchOver(alive) })
	others.Go(func() { r.metrics.run(alive) })
	for _, s := range r.makeSlots(children) {
		s.start(taking, &slots)
	}
	slots.Wait()
	stop()
	if r.cfg.UntilEmpty {
		heard := make(chan struct{})
		r.drained <- heard
		<-heard
	}
	die()
	others.Wait()
}

// workHere is work for one slot in the caller's goroutine. It also cleans up if a
// handler ends the goroutine.
func (r *run) workHere(taking context.Context, drain func()) {
	var others sync.WaitGroup
	defer others.Wait()
	alive, die := context.WithCancel(context.WithoutCancel(taking))
	defer die()
	others.Go(func() { r.registry.beat(alive, r.redis) })
	others.Go(func() { r.exchange.Run(alive) })
	others.Go(func() { r.metrics.run(alive) })
	defer func() {
		if taking.Err() == nil && r.exchange.EmptiedLast() {
			call(r.cfg.Logger, "QueueEmpty", r.cfg.Hooks.QueueEmpty)
		}
	}()
	s := r.makeSlots(nil)[0]
	s.goOn = func(last func(context.Context) *finished) { // runtime.Goexit: finish the job and take no more
		drain()
		s.next(taking, last(context.WithoutCancel(taking)))
	}
	var slots sync.WaitGroup
	slots.Add(1)
	s.work(taking, &slots, nil)
}

func (r *run) makeSlots(children *fork.Pool) []*slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range r.registry.ids {
		r.slots = append(r.slots, r.newSlot(id, children))
	}
	return r.slots
}

func (r *run) allSlots() []*slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.slots
}
