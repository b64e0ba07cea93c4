// Package exchange is where the slots of a worker meet Redis: one call finishes
// and reserves for many of them. It knows no handlers.
//
// A goroutine brings a finished job to [Exchange.Next] and returns with its next
// one. Whatever one call reserves lies ready, and whichever goroutine is free
// takes the next job: it may be reserved by any slot. So a goroutine that performs
// many short jobs need not wake another, and none waits behind a long job.
//
// There is at most one call at a time. A goroutine that finds no job ready and no
// call being made makes the next call itself, for all slots that have finished and
// all that are free: a single job waits for nothing but Redis.
package exchange

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
)

// Exchange finishes and reserves jobs for the slots of one worker. Its methods may
// be called by several goroutines at once.
type Exchange struct {
	backend Backend
	cfg     Config
	caller  *caller

	mu        sync.Mutex
	slots     map[string]*slot
	calling   bool // a goroutine makes a call
	held      bool // take no jobs
	look      bool // the next call also looks for the idle slots
	arrived   []*slot
	ready     []readyJob
	idle      []*slot // are free, and found nothing when they last looked
	refused   []*slot // have outcomes that Redis refused
	lost      lost
	unsure    bool // the last call did not look for all free slots
	leaving   int  // goroutines that may end: there are no more jobs
	searching int  // goroutines that are about to look what there is to do
	waiting   []*waiter
	interval  interval
	putBacks  putBacks
	state     state
	changed   chan struct{} // closed at the next change of state; nil if no goroutine waits
	worked    bool          // there were jobs since all slots were idle
	emptied   chan struct{} // holds one: there are no jobs any more
}

// Config is how an exchange works.
type Config struct {
	// Queues are names, patterns, and exclusions that begin with !.
	Queues []string
	// QueuesMaxAge is how old the list of known queues may be that patterns are
	// matched with.
	QueuesMaxAge time.Duration
	// Slots is how many slots use the exchange.
	Slots int
	// UntilEmpty ends Next when no job is waiting and none is running.
	UntilEmpty bool
	// The waits between two looks of idle slots, see interval.
	PollInterval, MinPollInterval, MaxPollInterval, PollBackoff time.Duration
	// MaxWaiting is how many connections Run may use to be told of jobs at once.
	// Negative means none.
	MaxWaiting int
	// LeaveTimeout is how long an outcome is tried again after the context of Next
	// has ended.
	LeaveTimeout time.Duration
	// Changed, if it is not nil, is called when State may return something else. It
	// must not block.
	Changed func()
	Logger  *slog.Logger
}

// Backend is what an exchange needs of the store.
type Backend interface {
	lister
	watcher
	requeuer
	Exchange(ctx context.Context, queues []string, finished []store.Outcome, free []store.Slot) (store.Exchanged, error)
	Register(ctx context.Context, workers []string, started time.Time, force bool) ([]bool, error)
}

var _ Backend = (*store.Store)(nil)

// New returns an exchange. It reports to redis when Redis does not answer, and
// when it does again.
func New(backend Backend, redis *Outage, cfg Config) *Exchange {
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	return &Exchange{
		backend: backend, cfg: cfg,
		caller: &caller{
			backend: backend, redis: redis, log: cfg.Logger, leaveTimeout: cfg.LeaveTimeout,
			queues: newQueueList(cfg.Queues, backend, cfg.QueuesMaxAge),
		},
		slots:    map[string]*slot{},
		interval: interval{cfg.PollInterval, cfg.MinPollInterval, cfg.MaxPollInterval, cfg.PollBackoff},
		emptied:  make(chan struct{}, 1),
	}
}

// Run wakes the idle slots when there may be jobs for them, until ctx ends: at
// every interval, and as soon as Redis tells of a job.
func (x *Exchange) Run(ctx context.Context) {
	var watching sync.WaitGroup
	watching.Go(func() { x.watch(ctx) })
	x.poll(ctx)
	watching.Wait()
}

// poll makes the idle slots look even if nothing else woke them: a call that was
// delayed may have left one of them a job.
func (x *Exchange) poll(ctx context.Context) {
	for backoff.Sleep(ctx, x.nextInterval()) {
		x.wake()
	}
}

func (x *Exchange) nextInterval() time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.interval.next()
}

// Hold makes the exchange take no jobs, or take some again. It finishes running
// jobs meanwhile.
func (x *Exchange) Hold(held bool) {
	x.mu.Lock()
	x.held = held
	x.noteIdleLocked()
	x.mu.Unlock()
	x.cfg.Changed()
	x.wake()
}

// IsHeld reports whether Hold makes the exchange take no jobs.
func (x *Exchange) IsHeld() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.held
}

// State returns the queues of the last look, in order, and whether no jobs are
// taken: because of Hold, or because Redis says so.
func (x *Exchange) State() (queues []string, paused bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.state.queues, x.state.paused || x.held
}

// wake makes the idle slots look for jobs, now or right after the call that is
// being made.
func (x *Exchange) wake() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.held {
		return
	}
	x.look = true
	x.helpLocked()
}

// Emptied receives when all slots are idle after there were jobs.
//
// Ruby: Resque::Worker#state_change.
func (x *Exchange) Emptied() <-chan struct{} { return x.emptied }

// EmptiedLast reports, once, what Emptied would still send at the end of a worker:
// with UntilEmpty the last goroutine may return before all slots are idle.
func (x *Exchange) EmptiedLast() bool {
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

// Lost returns the outcomes that Redis never got, as an error. Their records are
// still there, for a sweep. The slots in registered must stay registered for that:
// to unregister a slot returns the job in its record to its queue, and these jobs
// were performed.
func (x *Exchange) Lost() (registered []string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.lost.registered, x.lost.err()
}

// noteIdleLocked notes the state when no goroutine has anything to do.
func (x *Exchange) noteIdleLocked() {
	if x.calling || x.pendingLocked() {
		return
	}
	if len(x.idle) == x.cfg.Slots {
		x.emptyLocked()
		if x.cfg.UntilEmpty && !x.unsure {
			x.closeLocked()
		}
	}
	x.state.idle = len(x.idle) > 0 && !x.held
	x.announceLocked()
}

// emptyLocked notes that there are no jobs any more, if there were some.
func (x *Exchange) emptyLocked() {
	if x.worked {
		x.worked = false
		select {
		case x.emptied <- struct{}{}:
		default: // it holds one already
		}
	}
}

// closeLocked ends the goroutines: no job is waiting, and none is running that
// could enqueue more.
func (x *Exchange) closeLocked() {
	x.leaving, x.idle = len(x.idle), nil
	for range min(x.leaving, len(x.waiting)) {
		x.wakeOneLocked()
	}
}
