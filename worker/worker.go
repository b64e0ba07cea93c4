package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// Worker reserves and performs jobs. Make one with New.
type Worker struct {
	handler resque.Handler
	backend backend
	cfg     Config
	ids     []string
	running sync.Mutex
}

// backend is what a worker needs of the store.
type backend interface {
	exchanger
	Beat(ctx context.Context, workers []string) error
	Register(ctx context.Context, workers []string, started time.Time) error
	Retire(ctx context.Context, workers []string) error
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
	ids, err := slotIDs(cfg.Queues, cfg.Concurrency)
	if err != nil {
		return nil, err
	}
	return &Worker{handler: handler, backend: store.New(client.Redis()), cfg: cfg, ids: ids}, nil
}

// IDs are the ids under which the worker's slots are registered while it runs.
//
// Ruby: Resque::Worker#to_s.
func (w *Worker) IDs() []string { return append([]string(nil), w.ids...) }

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

	if err := w.start(ctx); err != nil {
		return err
	}
	w.cfg.Logger.Info("worker started", "worker", w.ids[0], "slots", len(w.ids), "queues", w.cfg.Queues)
	err := w.work(ctx)
	if leaving := w.leave(ctx); leaving != nil {
		err = errors.Join(err, fmt.Errorf("worker: leaving: %w", leaving))
	}
	w.cfg.Logger.Info("worker stopped", "worker", w.ids[0])
	return err
}

// start makes the slots known. The heartbeat comes first: a registration
// without one is never pruned, should we die in between.
//
// Ruby: Resque::Worker#startup.
func (w *Worker) start(ctx context.Context) error {
	if err := w.backend.Beat(ctx, w.ids); err != nil {
		return fmt.Errorf("worker: starting: %w", err)
	}
	if err := w.backend.Register(ctx, w.ids, time.Now()); err != nil {
		return fmt.Errorf("worker: starting: %w", err)
	}
	return nil
}

// work runs the slots until they have all stopped, and beside them the
// heartbeat and the clock that wakes idle slots.
func (w *Worker) work(ctx context.Context) error {
	redis := &outage{log: w.cfg.Logger}
	x := newExchange(w.backend, redis, w.cfg)

	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	var slots, others sync.WaitGroup
	others.Go(func() { w.beat(beside, redis) })
	others.Go(func() { x.poll(beside) })
	for _, id := range w.ids {
		newSlot(id, w, x).start(ctx, &slots)
	}
	slots.Wait()
	stop() // the heart beats until the last job has ended
	others.Wait()
	return x.lost()
}

// leave unregisters the slots, trying for a while where Redis is away: what is
// left behind looks like a crash to others.
//
// Ruby: Resque::Worker#unregister_worker.
func (w *Worker) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	for wait := newBackoff(); ; {
		err := w.backend.Retire(ctx, w.ids)
		if err == nil || !wait.sleep(ctx) {
			return err
		}
	}
}

// beat says that the slots are alive until ctx ends. It must outlast every
// trouble: a worker that falls silent is pruned, job and all.
//
// Ruby: Resque::Worker#start_heartbeat.
func (w *Worker) beat(ctx context.Context, redis *outage) {
	wait := newBackoff()
	next := w.cfg.HeartbeatInterval
	for pause(ctx, next) {
		if err := w.backend.Beat(ctx, w.ids); err != nil {
			if ctx.Err() == nil {
				redis.began(err)
			}
			next = min(wait.next(), w.cfg.HeartbeatInterval)
			continue
		}
		redis.ended()
		wait = newBackoff()
		next = w.cfg.HeartbeatInterval
	}
}
