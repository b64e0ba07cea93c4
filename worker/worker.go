package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// Worker reserves and performs jobs. Make one with New.
type Worker struct {
	handler resque.Handler
	backend backend
	cfg     Config
	running sync.Mutex
	stuck   atomic.Int64

	mu  sync.Mutex
	ids []string // while it runs
}

// backend is what a worker needs of the store.
type backend interface {
	exchanger
	registrar
	undertaker
}

var _ backend = (*store.Store)(nil)

// New returns a worker that performs jobs by handler, usually a *resque.Mux.
// The error tells every mistake in cfg. Nothing is asked of Redis before Run.
//
// Ruby: Resque::Worker.new.
func New(client *resque.Client, handler resque.Handler, cfg Config) (*Worker, error) {
	if client == nil || client.Redis() == nil {
		return nil, errors.New("worker: a worker needs a client with a Redis")
	}
	if handler == nil {
		return nil, errors.New("worker: a worker needs a handler, usually a *resque.Mux")
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Worker{handler: handler, backend: store.New(client.Redis()), cfg: cfg}, nil
}

// IDs are the ids under which the worker's slots are registered now: none unless
// it runs.
//
// Ruby: Resque::Worker#to_s.
func (w *Worker) IDs() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.ids...)
}

// Stuck is how many jobs go on now although their time is long over.
func (w *Worker) Stuck() int { return int(w.stuck.Load()) }

// Run works until ctx ends or, with UntilEmpty, until no job is left. Then it
// takes no more jobs, finishes those in hand, and returns nil when their ends
// are recorded and the worker is unregistered. It returns an error when Redis
// cannot be reached at the start, or at the end so that the record of a job's
// end is missing. One Run at a time.
//
// Ruby: Resque::Worker#work.
func (w *Worker) Run(ctx context.Context) error {
	if !w.running.TryLock() {
		return errors.New("worker: this worker is running already")
	}
	defer w.running.Unlock()

	dead := &sweeper{backend: w.backend, cfg: w.cfg}
	reg := &registry{backend: w.backend, dead: dead, cfg: w.cfg}
	ids, err := reg.enter(ctx)
	if err != nil {
		return w.notStarted(ctx, reg, err)
	}
	w.set(ids)
	defer w.set(nil)
	w.cfg.Logger.Info("worker started", "worker", ids[0], "slots", len(ids), "queues", w.cfg.Queues)
	err = w.work(ctx, reg, dead)
	if leaving := reg.leave(ctx); leaving != nil {
		err = errors.Join(err, fmt.Errorf("worker: leaving: %w", leaving))
	}
	w.cfg.Logger.Info("worker stopped", "worker", ids[0])
	return err
}

// notStarted takes back what was registered already. To be told to stop while
// starting is no error.
func (w *Worker) notStarted(ctx context.Context, reg *registry, err error) error {
	leaving := reg.leave(ctx)
	if ctx.Err() != nil {
		err = nil
	}
	if err = errors.Join(err, leaving); err != nil {
		return fmt.Errorf("worker: starting: %w", err)
	}
	return nil
}

func (w *Worker) set(ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids = ids
}

// work runs the slots until they have all stopped, and beside them what keeps
// them alive, wakes them, and buries the dead.
func (w *Worker) work(ctx context.Context, reg *registry, dead *sweeper) error {
	redis := away(w.cfg.Logger)
	x := newExchange(w.backend, redis, w.cfg)
	alive, die := context.WithCancel(context.WithoutCancel(ctx))
	idle, stop := context.WithCancel(ctx)
	var slots, others sync.WaitGroup
	others.Go(func() { reg.beat(alive, redis) })
	others.Go(func() { dead.run(idle, reg.ids) })
	others.Go(func() { x.poll(idle) })
	others.Go(func() { waitForJobs(idle, w.backend, x, w.cfg) })
	for _, id := range reg.ids {
		newSlot(id, w, x).start(ctx, &slots)
	}
	slots.Wait()
	stop()
	die() // the heart beats until the last job has ended
	others.Wait()
	return x.lost()
}
