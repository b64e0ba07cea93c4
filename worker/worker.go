package worker

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/goresque/goresque/internal/exchange"
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
	exchange.Backend
	effects
	registrar
	undertaker
}

var _ backend = (*store.Store)(nil)

// New returns a worker that performs jobs by handler, usually a *resque.Mux.
// The error lists every mistake in cfg. Redis is not asked anything before Run.
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

// IDs returns the ids under which the worker's slots are registered now: none
// unless it runs.
//
// Ruby: Resque::Worker#to_s.
func (w *Worker) IDs() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.ids...)
}

func (w *Worker) setIDs(ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids = ids
}

// Stuck returns how many jobs still run although their contexts ended long ago.
func (w *Worker) Stuck() int { return int(w.stuck.Load()) }
