package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// exchange is where slots meet Redis. What one call reserves for all of them lies
// ready, and whichever goroutine is free takes the next: a goroutine of a slot
// performs the jobs of any. So a goroutine that performs many short jobs needs
// to wake nobody, and nobody waits behind a long one.
//
// There is one call in flight at most. Who finds nothing ready and no call in
// flight makes the call itself, in its own goroutine, for all that have ended
// and all that are free: a lone job waits for nothing but Redis.
type exchange struct {
	backend  exchanger
	outcomes outcomes
	redis    *outage
	log      *slog.Logger
	cfg      Config
	pulse    pulse

	// Of who makes the call.
	queues   *queueList
	stamp    time.Time
	paused   bool
	fault    string
	finished []store.Outcome
	free     []store.Slot
	asked    []*seat // whose outcomes finished are

	mu        sync.Mutex
	seats     map[string]*seat
	busy      bool // a call is in flight
	held      bool // take no jobs
	look      bool // the next call is to look for the idle ones, too
	arrived   []*seat
	ready     []readyJob
	idle      []*seat  // are free, and found nothing when they last looked
	refused   []*seat  // have outcomes that Redis refused
	dropped   []error  // ends of jobs that Redis never got
	stay      []string // the slots of those that were performed: they are not to leave
	unsure    bool     // the last call did not look for all that were free
	closed    int      // seats that get no more jobs, whose goroutines may go
	searching int      // goroutines that are about to look what there is to do
	parked    []*parked
	interval  interval
	putBack   int      // jobs put back in a row
	behind    []string // the queues that they were put back to
	moment    moment
	changed   chan struct{} // closed at the next change of moment, where somebody waits
	worked    bool          // there were jobs since all slots were idle
	emptied   chan struct{} // holds one: there are no jobs any more
}

// exchanger is what an exchange needs of the store.
type exchanger interface {
	lister
	effects
	Exchange(ctx context.Context, queues []string, finished []store.Outcome, free []store.Slot) (store.Exchanged, error)
	Register(ctx context.Context, workers []string, started time.Time, force bool) ([]bool, error)
}

func newExchange(backend exchanger, redis *outage, cfg Config) *exchange {
	return &exchange{
		backend: backend, outcomes: outcomes{backend, cfg.FailureLists}, redis: redis, log: cfg.Logger, cfg: cfg,
		queues:   newQueueList(cfg.Queues, backend, min(cfg.PollInterval, time.Second)),
		interval: interval{cfg.PollInterval, cfg.MinPollInterval, cfg.MaxPollInterval, cfg.PollBackoff},
		emptied:  make(chan struct{}, 1),
		pulse:    newPulse(cfg),
		seats:    map[string]*seat{},
	}
}

// poll wakes the idle slots at every interval until ctx ends. They look even
// when nothing else woke them: a call that was delayed may have left one of
// them a job.
func (x *exchange) poll(ctx context.Context) {
	for pause(ctx, x.nextInterval()) {
		x.wake()
	}
}

func (x *exchange) nextInterval() time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.interval.next()
}

// hold has the exchange take no jobs until it is told otherwise, or take some
// again. It goes on with settling those in hand.
func (x *exchange) hold(held bool) {
	x.mu.Lock()
	x.held = held
	x.still()
	x.mu.Unlock()
	x.pulse.beat()
	x.wake()
}

func (x *exchange) isHeld() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.held
}

// wake has the idle slots look for jobs, now or right after the call in flight.
func (x *exchange) wake() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.held {
		return
	}
	x.look = true
	x.help()
}

// still notes what the exchange is like when nobody has anything to do. mu is
// held.
func (x *exchange) still() {
	if x.busy || x.pending() {
		return
	}
	if len(x.idle) == x.cfg.Concurrency {
		x.empty()
		if x.cfg.UntilEmpty && !x.unsure {
			x.close()
		}
	}
	x.moment.idle = len(x.idle) > 0 && !x.held
	x.announce()
}

// close sends the goroutines home: no job is waiting and none is in hand, which
// could bring more. mu is held.
func (x *exchange) close() {
	x.closed, x.idle = len(x.idle), nil
	for range min(x.closed, len(x.parked)) {
		x.rouse()
	}
}

// empty tells that there are no jobs any more, where there were some. mu is held.
//
// Ruby: Resque::Worker#state_change.
func (x *exchange) empty() {
	if x.worked {
		x.worked = false
		select {
		case x.emptied <- struct{}{}:
		default: // it is told already
		}
	}
}

// untold tells at the end of a worker's life, once, what emptied would have told.
func (x *exchange) untold() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	worked := x.cfg.UntilEmpty && x.worked
	x.worked = false
	select {
	case <-x.emptied:
		return true
	default:
		return worked
	}
}
