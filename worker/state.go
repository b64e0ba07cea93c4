package worker

import (
	"context"
	"slices"
	"time"
)

// State is what a worker is doing at a moment.
type State struct {
	// Queues are the names that jobs are taken from, in order; patterns are
	// resolved. The worker looks at them now unless it is paused or busy.
	Queues []string

	// Paused says that no jobs are taken: Worker.Pause was called, or Redis says
	// so. Jobs may be in hand all the same.
	Paused bool

	// Working are the jobs in hand, one a slot at most, in the order of slots.
	Working []Working
}

// Working is a job in hand.
type Working struct {
	Queue, Class string

	// Since is when it was begun.
	Since time.Time

	// Child is the process that performs it; 0 without ForkPerJob, and until
	// there is one.
	Child int
}

func (s State) equal(other State) bool {
	return s.Paused == other.Paused && slices.Equal(s.Queues, other.Queues) && slices.Equal(s.Working, other.Working)
}

// stateInterval is the least time between two calls of OnState.
const stateInterval = 250 * time.Millisecond

// pulse tells that a worker's state may have changed; nil tells nobody. One that
// was not yet heard stands for all that follow, so that a busy worker pays
// nothing for being watched: a send on a channel that is full takes no lock.
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

// watch tells OnState of the shift's state until ctx ends.
func (s *shift) watch(ctx context.Context) {
	if s.pulse == nil {
		return
	}
	var told *State
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.pulse:
		}
		if state := s.state(); told == nil || !told.equal(state) {
			told = &state
			call(s.cfg.Logger, "OnState", func() { s.cfg.OnState(state) })
		}
		if !pause(ctx, stateInterval) {
			return
		}
	}
}

func (s *shift) state() State {
	m, _ := s.exchange.now()
	state := State{Queues: slices.Clone(m.names), Paused: m.paused || s.exchange.isHeld()}
	for _, slot := range s.staffed() {
		if job, ok := slot.working(); ok {
			state.Working = append(state.Working, job)
		}
	}
	return state
}

// working is the job in hand, if there is one.
func (s *slot) working() (job Working, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.run
	if in == nil {
		return Working{}, false
	}
	return Working{Queue: in.reserved.Queue, Class: in.class, Since: in.started, Child: s.performer.pid()}, true
}
