package worker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// Worker reserves and performs jobs. Make one with New. Its methods may be
// called by several goroutines at once.
type Worker struct {
	handler resque.Handler
	backend backend
	cfg     Config
	running sync.Mutex
	stuck   atomic.Int64
	orders  chan order

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
	return &Worker{
		handler: handler, backend: store.New(client.Redis()), cfg: cfg,
		orders: make(chan order, 16),
	}, nil
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

// Run works until ctx ends, which is as Term, or another method stops it, or,
// with UntilEmpty, until no job is left. Then it takes no more jobs, deals with
// those in hand as Config says, and returns nil when their ends are recorded and
// the worker is unregistered. It returns an error when Redis cannot be reached
// at the start, or at the end so that the record of a job's end is missing. One
// Run at a time.
//
// Ruby: Resque::Worker#work.
func (w *Worker) Run(ctx context.Context) error {
	if IsChild() {
		return errors.New("worker: this process is a worker's child: it must call ServeChild and not Run (see IsChild)")
	}
	if !w.running.TryLock() {
		return errors.New("worker: this worker is running already")
	}
	defer w.running.Unlock()
	taking, noMore := context.WithCancel(ctx)
	defer noMore()
	s := newShift(w, noMore)
	over := make(chan struct{})
	var obeying sync.WaitGroup
	obeying.Go(func() { s.obey(ctx, over) })
	err := s.run(taking)
	close(over)
	obeying.Wait()
	call(w.cfg.Logger, "WorkerExit", w.cfg.Hooks.WorkerExit)
	w.forget()
	return err
}

// forget forgets the orders that came too late: they were for the Run that is
// over, and not for the next one.
func (w *Worker) forget() {
	for {
		select {
		case <-w.orders:
		default:
			return
		}
	}
}

func (w *Worker) set(ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids = ids
}
