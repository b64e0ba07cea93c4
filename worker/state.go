package worker

import (
	"context"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/backoff"
)

// State is what a worker is doing at a moment.
type State struct {
	// Queues are the names that jobs are taken from, in order; patterns are
	// resolved. The worker looks at them now unless it is paused or busy.
	Queues []string

	// Paused reports whether no jobs are taken: Worker.Pause was called, or Redis
	// says so. Jobs may be running.
	Paused bool

	// Working are the running jobs, at most one a slot, in the order of slots.
	Working []Working
}

// Working is a running job.
type Working struct {
	Queue, Class string

	// Since is when it began.
	Since time.Time

	// Child is the pid of the child process that performs it; 0 without ForkPerJob,
	// and until there is a child.
	Child int
}

func (s State) equal(other State) bool {
	return s.Paused == other.Paused && slices.Equal(s.Queues, other.Queues) && slices.Equal(s.Working, other.Working)
}

// stateInterval is the least time between two calls of OnState.
const stateInterval = 250 * time.Millisecond

// pulse holds one value while the worker's state may have changed; nil holds none.
// A send on a channel that is full takes no lock, so that a busy worker pays
// nothing for being watched.
type pulse chan struct{}

func newPulse(cfg Config) pulse {
	if cfg.OnState == nil {
		return nil
	}
	return make(pulse, 1)
}

func (p pulse) beat() {
	select {
	case p <- struct{}{}:
	default:
	}
}

// watch calls OnState with the run's state until ctx ends.
func (r *run) watch(ctx context.Context) {
	if r.changed == nil {
		return
	}
	var told *State
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.changed:
		}
		if state := r.state(); told == nil || !told.equal(state) {
			told = &state
			call(r.cfg.Logger, "OnState", func() { r.cfg.OnState(state) })
		}
		if !backoff.Sleep(ctx, stateInterval) {
			return
		}
	}
}

func (r *run) state() State {
	queues, paused := r.exchange.State()
	state := State{Queues: slices.Clone(queues), Paused: paused}
	for _, s := range r.allSlots() {
		if job, ok := s.working(); ok {
			state.Working = append(state.Working, job)
		}
	}
	return state
}

// working returns the running job, if there is one.
func (s *slot) working() (job Working, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.running
	if in == nil {
		return Working{}, false
	}
	return Working{Queue: in.reserved.Queue, Class: in.class, Since: in.started, Child: s.performer.pid()}, true
}
