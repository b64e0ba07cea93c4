package worker

import (
	"context"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/backoff"
)

// State describes what a worker is doing.
type State struct {
	// Queues are the queues that jobs are taken from, in order. Patterns are
	// replaced by the queues that match them.
	Queues []string

	// Paused reports whether the worker is paused, by [Worker.Pause] or in Redis.
	// Jobs may still be running.
	Paused bool

	// Working are the running jobs, at most one for each slot, in the order of the
	// slots.
	Working []Working
}

// Working is a running job.
type Working struct {
	Queue, Class string

	// Since is when the job began.
	Since time.Time

	// Child is the process id of the child process that performs the job. It is 0
	// without ForkPerJob, and while the job waits for a child.
	Child int
}

func (s State) equal(other State) bool {
	return s.Paused == other.Paused && slices.Equal(s.Queues, other.Queues) && slices.Equal(s.Working, other.Working)
}

// stateInterval is the shortest time between two calls of OnState.
const stateInterval = 250 * time.Millisecond

// pulse holds one value if the worker's state may have changed. It is nil without
// OnState. A send on a full channel takes no lock, so a busy worker loses no time.
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

// watch calls OnState when the state has changed, until ctx ends.
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
