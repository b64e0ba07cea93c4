package scheduler

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// Scheduler moves delayed jobs to their queues while it is master. [New] returns one.
// It is safe for concurrent use.
type Scheduler struct {
	cfg       Config
	store     backend
	master    store.Master
	mover     *mover
	recurring *recurring
	duties    []duty
	running   sync.Mutex
	wake      chan struct{} // makes Run look at once
	reload    atomic.Bool

	mu    sync.Mutex
	state State
}

// State is the state of a scheduler.
type State struct {
	Running bool
	Master  bool   // this scheduler is master
	Holder  string // the text in the lock: the token of a Go scheduler, or host:pid of Ruby's
}

// New returns a scheduler of client's Redis. The error lists every mistake in the
// arguments. New does not use Redis.
//
// Ruby: Resque::Scheduler.configure.
func New(client *resque.Client, cfg Config) (*Scheduler, error) {
	var mistakes []error
	if client == nil || client.Redis() == nil {
		mistakes = append(mistakes, errors.New("scheduler: a scheduler needs a client with a Redis"))
	}
	cfg, err := cfg.withDefaults()
	if err = errors.Join(append(mistakes, err)...); err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("scheduler: asking for the host's name: %w", err)
	}
	id := func(last string) string {
		return wire.GoWorkerID(host, os.Getpid(), 1, 1, []string{last}).String()
	}
	backend := store.New(store.Interruptible(client.Redis()))
	s := &Scheduler{
		cfg: cfg, store: backend, wake: make(chan struct{}, 1),
		master: store.Master{Token: id(rand.Text()), Prefix: cfg.LockPrefix, TTL: cfg.LockTTL},
	}
	s.mover = newMover(backend, cfg, id("scheduler"))
	s.recurring = newRecurring(backend, client, cfg)
	s.duties = []duty{s.mover, s.recurring}
	return s, nil
}

// State returns the state of the scheduler.
func (s *Scheduler) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// setState changes the state and calls OnState. The goroutine of Run calls it.
func (s *Scheduler) setState(state State) {
	s.mu.Lock()
	s.state = state
	s.mu.Unlock()
	if s.cfg.OnState != nil {
		s.cfg.OnState(state)
	}
}

// Reload makes the scheduler look for due jobs and read the persistent entries at once.
//
// Ruby: Resque::Scheduler.reload_schedule!.
func (s *Scheduler) Reload() {
	s.reload.Store(true)
	s.look()
}

// look makes Run look at once.
func (s *Scheduler) look() {
	select {
	case s.wake <- struct{}{}:
	default: // it will
	}
}
