package worker

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// exchange is where slots meet Redis. There is one call in flight at most: the
// turns that arrive meanwhile share the next one, and a turn that finds none in
// flight makes the call itself, in its own goroutine, so that a lone job waits
// for nothing but Redis.
//
// Whoever makes the call is the leader. It hands the lead on before it goes
// back to its job: to a turn that arrived, or to an idle one that is to look.
type exchange struct {
	backend  exchanger
	outcomes outcomes
	redis    *outage
	log      *slog.Logger
	cfg      Config
	pulse    pulse

	// Of the leader alone.
	queues *queueList
	stamp  time.Time
	paused bool
	fault  string

	mu       sync.Mutex
	busy     bool     // there is a leader
	held     bool     // take no jobs
	look     bool     // the next call is to look for the idle ones, too
	arrived  []*turn  // wait for the next call
	idle     []*turn  // are free, and found nothing when they last looked
	dropped  []error  // ends of jobs that Redis never got
	stay     []string // the slots of those that were performed: they are not to leave
	interval interval
	putBack  int // jobs put back in a row
	moment   moment
	changed  chan struct{} // closed at the next change of moment, where somebody waits
	worked   bool          // there were jobs since all slots were idle
	emptied  chan struct{} // holds one: there are no jobs any more
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
	}
}

// turn is one slot's visit: it hands in an outcome, where there is one, and
// stays until it has the next job or there is to be none.
type turn struct {
	worker  string
	outcome *store.Outcome // nil once Redis has it
	returns bool           // which puts the job back to the front of its queue
	rests   bool           // wants no job before the next look
	answer  chan answer    // holds one, so that a leader never waits for a slot
	refused *patience      // set once Redis has refused the outcome
}

type answer struct {
	job  store.Reserved
	ok   bool  // there is a job
	lead bool  // no job yet: make the next call
	err  error // why Redis refused the outcome: wait, and come again
}

// turn hands in what the slot's last job left behind and returns its next job;
// ok is false when the slot is to stop. Without a job to give it waits until
// one comes or ctx, Run's own, ends.
func (x *exchange) turn(ctx context.Context, worker string, last *ending) (job store.Reserved, ok bool) {
	t := &turn{worker: worker, answer: make(chan answer, 1)}
	if last != nil {
		x.cfg.tell(ctx, last.failure)
		t.outcome, t.returns, t.rests = &last.Outcome, last.returns, x.enoughPutBack(last.putBack)
	}
	x.enter(ctx, t)
	stopping := ctx.Done()
	for {
		select {
		case a := <-t.answer:
			switch {
			case a.lead:
				x.lead(ctx, t)
			case a.err == nil:
				return a.job, a.ok
			case !x.again(ctx, t, a.err):
				return store.Reserved{}, false
			}
		case <-stopping:
			if x.withdraw(t) {
				return store.Reserved{}, false
			}
			stopping = nil // a call has it in hand, which will answer
		}
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
	x.moment.idle = !x.busy && len(x.idle) > 0 && !held
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
	if !x.busy {
		x.handOver()
	}
}

// enter has t wait for the next call, or make it where none is in flight.
func (x *exchange) enter(ctx context.Context, t *turn) {
	x.mu.Lock()
	switch {
	case x.busy:
		x.arrived = append(x.arrived, t)
		x.mu.Unlock()
	case x.held && t.outcome == nil && !x.cfg.UntilEmpty:
		x.idle = append(x.idle, t)
		x.mu.Unlock()
	default:
		x.busy, x.moment.idle = true, false
		x.mu.Unlock()
		x.lead(ctx, t)
	}
}

// again has a turn whose outcome Redis refused, being full or read only, wait a
// little and come again. The job is still in its record meanwhile.
func (x *exchange) again(ctx context.Context, t *turn, err error) bool {
	if t.refused == nil {
		t.refused = newPatience()
		x.log.Error("the end of a job cannot be recorded, trying again", "worker", t.worker, "err", err)
	}
	if !t.refused.again(ctx) {
		x.drop(t, err)
		return false
	}
	x.enter(ctx, t)
	return true
}

// withdraw takes back an idle turn. It fails while a call has the turn in hand.
func (x *exchange) withdraw(t *turn) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	at := slices.Index(x.idle, t)
	if at < 0 {
		return false
	}
	x.idle = slices.Delete(x.idle, at, at+1)
	return true
}

// lead makes one call for t and for all who wait, and hands the lead on.
func (x *exchange) lead(ctx context.Context, t *turn) {
	x.call(ctx, x.gather(t))
	x.mu.Lock()
	defer x.mu.Unlock()
	x.handOver()
}

// gather collects the turns of the next call.
func (x *exchange) gather(t *turn) []*turn {
	x.mu.Lock()
	defer x.mu.Unlock()
	batch := append([]*turn{t}, x.arrived...)
	x.arrived = nil
	if x.look {
		batch = append(batch, x.idle...)
		x.idle, x.look = nil, false
	}
	return batch
}

// handOver makes the next leader, where there is something to do. mu is held.
func (x *exchange) handOver() {
	var next *turn
	switch {
	case len(x.arrived) > 0:
		next, x.arrived = x.arrived[0], x.arrived[1:]
	case x.look && len(x.idle) > 0:
		next, x.idle = x.idle[0], x.idle[1:]
	default:
		x.busy = false
		x.moment.idle = len(x.idle) > 0 && !x.held
		x.announce()
		if len(x.idle) == x.cfg.Concurrency {
			x.empty()
		}
		return
	}
	x.busy = true
	x.moment.idle = false
	x.announce()
	next.answer <- answer{lead: true}
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
