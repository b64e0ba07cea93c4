package worker

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/goresque/goresque/internal/fnmatch"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// Worker reserves and performs jobs. New returns one. Several goroutines may call
// its methods at the same time.
type Worker struct {
	client  *resque.Client
	handler resque.Handler
	backend *store.Store
	cfg     Config
	running sync.Mutex
	stuck   atomic.Int64
	orders  *orders

	mu  sync.Mutex
	ids []string // while it runs
}

// New returns a worker that performs the jobs of client's Redis with handler,
// usually a [resque.Mux]. The error lists every mistake in the arguments,
// including settings that have no effect. New does not use Redis.
//
// Ruby: Resque::Worker.new.
func New(client *resque.Client, handler resque.Handler, cfg Config) (*Worker, error) {
	var mistakes []error
	if client == nil || client.Redis() == nil {
		mistakes = append(mistakes, errors.New("worker: a worker needs a client with a Redis"))
	}
	if isNil(handler) {
		mistakes = append(mistakes, errors.New("worker: a worker needs a handler, usually a *resque.Mux"))
	}
	cfg, err := cfg.withDefaults()
	if err = errors.Join(append(mistakes, err)...); err != nil {
		return nil, err
	}
	if mux, ok := handler.(*resque.Mux); ok {
		logQueues(cfg, mux)
	}
	return &Worker{
		client: client, handler: handler, backend: store.New(client.Redis()), cfg: cfg,
		orders: newOrders(),
	}, nil
}

// logQueues logs queues that are probably a mistake: those that the worker watches and
// no registered class uses, and those of registered classes that it does not watch.
// It does not log the former if a class is registered without a queue.
func logQueues(cfg Config, mux *resque.Mux) {
	used := mux.Queues()
	watched := func(queue string) (watched bool) {
		for _, q := range cfg.Queues {
			name, excluded := strings.CutPrefix(q, "!")
			switch {
			case !fnmatch.Match(name, queue):
			case excluded:
				return false
			default:
				watched = true
			}
		}
		return watched
	}
	var unused, unwatched []string
	for _, q := range cfg.Queues {
		if q[0] != '!' && !strings.ContainsAny(q, `*?[\`) && !slices.Contains(used, q) {
			unused = append(unused, q)
		}
	}
	for _, q := range used {
		if !watched(q) {
			unwatched = append(unwatched, q)
		}
	}
	if everyClassHasAQueue(mux) && len(unused) > 0 {
		cfg.Logger.Warn("no registered class uses these queues", "queues", unused)
	}
	if len(unwatched) > 0 {
		// Not a mistake: workers often share the queues of one program. doctor finds a queue
		// that no worker watches.
		cfg.Logger.Debug("queues of registered classes are not watched", "queues", unwatched)
	}
}

func everyClassHasAQueue(mux *resque.Mux) bool {
	classes := mux.Classes()
	return len(classes) > 0 && !slices.ContainsFunc(classes, func(class string) bool {
		route, _ := mux.Route(class)
		return route.Queue == ""
	})
}

func isNil(handler resque.Handler) bool {
	switch h := handler.(type) {
	case *resque.Mux:
		return h == nil
	case resque.HandlerFunc:
		return h == nil
	default:
		return handler == nil
	}
}

// IDs returns the ids of the worker's slots. It returns none unless the worker is
// registered.
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

// Stuck returns the number of jobs that still run more than 5 seconds after their
// contexts ended.
func (w *Worker) Stuck() int64 { return w.stuck.Load() }
