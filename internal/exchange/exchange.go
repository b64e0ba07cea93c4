// Package exchange finishes and reserves jobs for the slots of a worker: one call to
// Redis serves many slots. It does not know handlers.
//
// A goroutine passes its finished job to [Exchange.Next] and gets its next one. The
// jobs that a call reserves are kept ready, and any goroutine takes the next of them,
// regardless of the slot that reserved it. So a goroutine that performs many short
// jobs need not wake another one, and no job waits for a long one.
//
// There is at most one call at a time. A goroutine that finds no ready job makes the
// next call itself, unless one is being made. The call serves all slots that have
// finished and all that are free. So a single job waits only for Redis.
package exchange

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
)

// Exchange finishes and reserves jobs for the slots of one worker. It is safe for
// concurrent use.
type Exchange struct {
	backend Backend
	cfg     Config
	caller  *caller

	mu        sync.Mutex
	slots     map[string]*slot
	calling   bool // a goroutine makes a call, or admits the jobs of one
	admitting bool // jobs of the last call are not admitted yet
	held      bool // no jobs are taken
	look      bool // the next call also reserves for the idle slots
	few       int  // if not 0, only for so many of them
	arrived   []*slot
	ready     []readyJob
	idle      []*slot // free slots that found no job when they last looked
	refused   []*slot // slots with outcomes that Redis refused
	tasks     []task
	doing     int // number of tasks in progress
	lost      lost
	unsure    bool // the last call did not look for jobs for all free slots
	leaving   int  // number of goroutines that may end because there are no more jobs
	searching int  // number of goroutines that are about to check for something to do
	waiting   []*waiter
	pace      pace
	interval  interval
	putBacks  putBacks
	state     state
	changed   chan struct{} // closed at the next change of state; nil if no goroutine waits
	worked    bool          // there were jobs since all slots were idle
	emptied   chan struct{} // capacity 1; receives when there are no more jobs
	denied    []store.Denied
	deniedAt  time.Time
	limited   chan struct{} // capacity 1; receives when denied is not empty
}

// Config configures an exchange.
type Config struct {
	// Queues are names, patterns, and exclusions that begin with !.
	Queues []string
	// QueuesMaxAge is the maximum age of the list of known queues that patterns are
	// matched against.
	QueuesMaxAge time.Duration
	// Slots is the number of slots that use the exchange.
	Slots int
	// UntilEmpty makes Next return when no job is waiting and none is running.
	UntilEmpty bool
	// How long idle slots wait before they look for jobs again; see interval.
	PollInterval, MinPollInterval, MaxPollInterval, PollBackoff time.Duration
	// MaxWaiting is how many connections Run may use to wait for jobs, instead of
	// only polling. Negative means none.
	MaxWaiting int
	// LeaveTimeout is how long outcomes are tried again after the context of Next
	// has ended.
	LeaveTimeout time.Duration
	// Intervals are those of the slots. They are published when a slot is registered
	// again.
	Intervals store.Intervals
	// Admitter, if not nil, admits the reserved jobs that must be admitted before they are
	// performed.
	Admitter Admitter
	// Changed, if not nil, is called when the result of State may have changed. It
	// must not block.
	Changed func()
	Attrs   Attrs
	Logger  *slog.Logger
}

// Backend is what an exchange needs of the store.
type Backend interface {
	lister
	watcher
	requeuer
	freer
	unparker
	Exchange(ctx context.Context, queues []string, finished []store.Outcome, free []store.Slot) (store.Exchanged, error)
	Register(ctx context.Context, workers []string, started time.Time, intervals store.Intervals, force bool) ([]bool, error)
}

var _ Backend = (*store.Store)(nil)

// New returns an exchange. It reports to redis when Redis does not answer, and when it
// answers again.
func New(backend Backend, redis *Outage, cfg Config) *Exchange {
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	return &Exchange{
		backend: backend, cfg: cfg,
		caller: &caller{
			backend: backend, redis: redis, log: cfg.Logger, attrs: cfg.Attrs, leaveTimeout: cfg.LeaveTimeout, intervals: cfg.Intervals,
			queues: newQueueList(cfg.Queues, backend, cfg.QueuesMaxAge),
		},
		slots:    map[string]*slot{},
		pace:     newPace(),
		interval: interval{cfg.PollInterval, cfg.MinPollInterval, cfg.MaxPollInterval, cfg.PollBackoff},
		emptied:  make(chan struct{}, 1),
		limited:  make(chan struct{}, 1),
	}
}

// Run wakes the idle slots when there may be jobs for them: at every interval, as soon as
// Redis reports a job, and when a limit allows one. It returns when ctx ends.
func (x *Exchange) Run(ctx context.Context) {
	var watching sync.WaitGroup
	watching.Go(func() { x.watch(ctx) })
	watching.Go(func() { x.followLimits(ctx) })
	x.poll(ctx)
	watching.Wait()
}

// poll makes the idle slots look at every interval. A delayed call may have written a
// job into the record of one of them, and nothing else would wake it.
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

// Hold stops the taking of jobs, or resumes it. Running jobs are finished in any case.
func (x *Exchange) Hold(held bool) {
	x.mu.Lock()
	x.held = held
	x.noteIdleLocked()
	x.mu.Unlock()
	x.cfg.Changed()
	x.wake()
}

// IsHeld reports whether Hold has stopped the taking of jobs.
func (x *Exchange) IsHeld() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.held
}

// State returns the queues of the last look, in order. paused reports whether no jobs
// are taken, because of Hold or because all workers are paused in Redis.
func (x *Exchange) State() (queues []string, paused bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.state.queues, x.state.paused || x.held
}

// wake makes the idle slots look for jobs, at once or after the current call.
func (x *Exchange) wake() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.held {
		return
	}
	x.lookLocked(0)
	x.helpLocked()
}

// wakeOne makes one idle slot look, because a call for one slot is fast. If it finds a
// job, more of them look.
func (x *Exchange) wakeOne() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.held {
		return
	}
	x.lookLocked(1)
	x.helpLocked()
}

// lookLocked makes the next call reserve also for some of the idle slots, or for all of
// them if some is 0.
func (x *Exchange) lookLocked(some int) {
	if !x.look || some == 0 || x.few > 0 {
		x.look, x.few = true, some
	}
}

// Emptied returns a channel that receives when all slots are idle after there were
// jobs.
//
// Ruby: Resque::Worker#state_change.
func (x *Exchange) Emptied() <-chan struct{} { return x.emptied }

// EmptiedLast reports whether Emptied has a value that was not received, or would have
// had one: with UntilEmpty the last goroutine may return before all slots are idle. A
// worker calls it at its end. A second call returns false.
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

// Lost returns the outcomes that could not be written to Redis, as an error. Their
// records still exist, for a sweep. The slots in registered must stay registered:
// unregistering a slot returns the job in its record to its queue, and these jobs were
// performed.
func (x *Exchange) Lost() (registered []string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.lost.registered, x.lost.err()
}

// noteIdleLocked updates the state if no goroutine has anything to do.
func (x *Exchange) noteIdleLocked() {
	if x.calling || x.pendingLocked() || len(x.tasks)+x.doing > 0 { // a task may put a job into a queue
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

// emptyLocked sends to emptied, if there were jobs.
func (x *Exchange) emptyLocked() {
	if x.worked {
		x.worked = false
		select {
		case x.emptied <- struct{}{}:
		default: // emptied is full
		}
	}
}

// closeLocked ends the goroutines: no job is waiting, and no running job can enqueue
// another one.
func (x *Exchange) closeLocked() {
	x.leaving, x.idle = len(x.idle), nil
	for range min(x.leaving, len(x.waiting)) {
		x.wakeOneLocked()
	}
}
