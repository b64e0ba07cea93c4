package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// callTimeout bounds one call. It should be long enough for a busy Redis. If a call
// times out, it is repeated; no job is lost.
const callTimeout = 15 * time.Second

// caller makes calls to Redis. Only the goroutine that makes the current call uses its
// fields.
type caller struct {
	backend      Backend
	redis        *Outage
	log          *slog.Logger
	attrs        Attrs
	leaveTimeout time.Duration
	intervals    store.Intervals
	queues       *queueList
	lastRunAt    time.Time
	answered     time.Time // when Redis last answered
	fault        string    // why a queue cannot be read
	uncounted    string    // why jobs that ended are not counted
	lookedAtAll  bool      // the last call looked at all queues
	finished     []store.Outcome
	asked        []*slot // the slots of finished
	free         []store.Slot
}

// call finishes and reserves for a batch until Redis has answered for each of its
// slots. To repeat a call is safe: because of the guards of the outcomes and the
// records of the slots, a second call does not repeat what a first one did. When ctx
// has ended, outcomes are tried again for up to LeaveTimeout.
func (x *Exchange) call(ctx context.Context, batch []*slot) {
	wait := newRetry(x.caller.leaveTimeout)
	for attempt := 1; ; attempt++ {
		free := ctx.Err() == nil
		if !free { // the worker stops: only outcomes are sent
			batch = slices.DeleteFunc(batch, func(s *slot) bool { return s.outcome == nil })
		}
		if len(batch) == 0 {
			return
		}
		taking := free && !x.IsHeld()
		rested := attempt == 1 && time.Since(x.caller.answered) >= store.Rested
		reply, err := x.caller.ask(ctx, batch, taking, rested, x.lastQueues())
		if err != nil {
			if rested && store.Closed(err) { // Redis may have started again since
				continue
			}
			x.caller.redis.Began(err)
			if !wait.again(ctx) {
				x.loseAll(batch, err)
				return
			}
			continue
		}
		x.caller.redis.Ended()
		if taking {
			x.noteLook(x.caller.queues.known, len(reply.Reserved))
			x.noteDenied(reply.Denied)
		}
		batch = x.deliver(ctx, batch, reply, attempt)
	}
}

// ask makes one call to Redis. If there was none for a while, rested is true, and a ping
// before it would double the time until a job begins. The queues in last are looked at last.
func (c *caller) ask(ctx context.Context, batch []*slot, taking, rested bool, last []string) (reply store.Exchanged, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if rested {
		ctx = store.Repeatable(ctx)
	}
	var queues []string
	if taking {
		if queues, err = c.queues.look(ctx); err != nil {
			return reply, err
		}
		queues = reorder(queues, last)
	}
	c.finished, c.free, c.asked = c.finished[:0], c.free[:0], c.asked[:0]
	for _, s := range batch {
		if s.outcome != nil {
			c.finished = append(c.finished, *s.outcome)
			c.asked = append(c.asked, s)
		}
		if taking && !s.rests {
			c.free = append(c.free, store.Slot{Worker: s.worker})
		}
	}
	for i, runAt := range c.runAts(len(c.free)) {
		c.free[i].RunAt = runAt
	}
	if reply, err = c.backend.Exchange(ctx, queues, c.finished, c.free); err == nil {
		c.answered = time.Now()
	}
	c.lookedAtAll = taking && !reply.More && len(reply.Reserved) < len(c.free)
	return reply, err
}

// runAts returns n times close to now, each later than all before. They make the
// record of each reserve unique, even if the clock stands still or is set back, and
// show the order in which the jobs of one call were taken.
func (c *caller) runAts(n int) []string {
	now := time.Now().Round(0)
	if !now.After(c.lastRunAt) {
		now = c.lastRunAt.Add(time.Nanosecond)
	}
	c.lastRunAt = now.Add(time.Duration(n))
	return wire.RunAts(now, n)
}

// deliver distributes a reply to the slots. If the worker has begun to stop, it returns
// the slots that need another call, which returns their unstarted jobs to the queues.
func (x *Exchange) deliver(ctx context.Context, batch []*slot, reply store.Exchanged, attempt int) (again []*slot) {
	x.notePaused(reply.Paused)
	registered := x.caller.report(ctx, reply)
	decided := slices.ContainsFunc(batch, func(s *slot) bool { return s.last != nil && s.last.Again != nil })
	recorded := x.caller.noteResults(reply.Finished, attempt)
	needy := x.needy(reply.Reserved)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tasks = append(x.tasks, recorded...)
	if len(reply.Unparked) > 0 {
		x.tasks = append(x.tasks, task{nil, func() { x.unpark(ctx, reply.Unparked) }})
	}
	stopping := ctx.Err() != nil
	short, rested := false, false
	jobs := reply.Reserved // in the order of the batch
	var admitted []readyJob
	for _, s := range batch {
		ok := len(jobs) > 0 && jobs[0].Worker == s.worker
		var job store.Reserved
		if ok {
			job, jobs = jobs[0], jobs[1:]
		}
		switch {
		case s.err != nil: // the record still holds the job that has ended
			x.refused = append(x.refused, s)
		case s.changed != nil:
			x.tasks = append(x.tasks, task{s, s.decide()})
		case ok && stopping:
			x.setReturnedLocked(s, job)
			again = append(again, s)
		case ok && needy[job.Worker]:
			admitted = append(admitted, readyJob{s, job})
		case ok:
			x.ready = append(x.ready, readyJob{s, job})
		case stopping:
		default:
			short, rested = true, rested || s.rests
			s.rests = false
			x.idle = append(x.idle, s)
		}
	}
	if len(admitted) > 0 {
		x.admitting = true
		x.tasks = append(x.tasks, task{nil, func() { x.admit(ctx, admitted) }})
	}
	x.unsure = len(reply.Unknown) > 0 // these slots get no jobs
	switch {
	case reply.More: // one call copies a limited number of bytes
		x.lookLocked(0)
	case !short: // all slots in this call got a job, so there may be more
		if x.look = x.look && len(x.idle) > 0; len(x.idle) > 0 {
			x.lookLocked(8 * len(batch))
		}
	case x.cfg.UntilEmpty && !rested && (registered || decided || !x.caller.queues.fresh): // jobs and policies may have made new queues
		x.caller.queues.forget()
		x.lookLocked(0)
	}
	slices.Reverse(again) // the job that was taken last must be pushed first
	return again
}

// noteResults removes the outcomes that Redis has accepted from their slots, and sets
// the errors of those that it refused, and the values of those that expected others. It
// returns what is to be done because outcomes are written.
func (c *caller) noteResults(results []store.FinishResult, attempt int) (recorded []task) {
	for i, s := range c.asked {
		if s.err = results[i].Err; s.err != nil {
			if s.refusal == nil {
				s.refusal = newRetry(c.leaveTimeout)
				c.log.Error("redis refused the result of a job, retrying", append(c.attrs.of(s.err), "worker", s.worker)...)
			}
			continue
		}
		if s.changed = results[i].Changed; s.changed != nil {
			continue
		}
		if s.refusal != nil {
			c.log.Info("redis took the result of a job", "worker", s.worker)
		}
		switch {
		case !results[i].Ours && attempt == 1:
			c.log.Warn("record of a running job was taken over, its result is not recorded", "worker", s.worker)
		case s.last != nil && s.last.Recorded != nil: // or the reply was lost
			if after := s.last.Recorded(); after != nil {
				recorded = append(recorded, task{nil, after})
			}
		}
		s.outcome, s.last, s.refusal = nil, nil, nil
	}
	return recorded
}

// report logs a queue that cannot be read, once for each change, and registers slots
// again that another process has unregistered. registered reports whether slots were
// registered.
func (c *caller) report(ctx context.Context, reply store.Exchanged) (registered bool) {
	switch {
	case reply.Fault != nil && reply.Fault.Error() != c.fault:
		c.fault = reply.Fault.Error()
		c.log.Error("a queue cannot be read", c.attrs.of(reply.Fault)...)
	case reply.Fault == nil && c.fault != "" && c.lookedAtAll: // a call that finds enough jobs does not look further
		c.fault = ""
		c.log.Info("all queues can be read again")
	}
	switch {
	case reply.Uncounted != nil && reply.Uncounted.Error() != c.uncounted:
		c.uncounted = reply.Uncounted.Error()
		c.log.Error("jobs that ended are not counted", c.attrs.of(reply.Uncounted)...)
	case reply.Uncounted == nil && c.uncounted != "" && len(reply.Finished) > 0:
		c.uncounted = ""
		c.log.Info("jobs that ended are counted again")
	}
	return len(reply.Unknown) > 0 && ctx.Err() == nil && c.register(ctx, reply.Unknown)
}

func (c *caller) register(ctx context.Context, workers []string) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	c.log.Warn("slots were unregistered by another process, registering again", "workers", workers)
	_, err := c.backend.Register(ctx, workers, time.Now(), c.intervals, true)
	if err != nil {
		c.redis.Began(err)
	}
	return err == nil
}

// lost has the outcomes that could not be written to Redis.
type lost struct {
	errs       []error
	registered []string // the slots whose jobs were performed
}

func (l *lost) add(s *slot, err error) {
	l.errs = append(l.errs, fmt.Errorf("recording the result of a job of %s: %w", s.worker, err))
	if !s.returned {
		l.registered = append(l.registered, s.worker)
	}
}

func (l *lost) err() error { return errors.Join(l.errs...) }

// loseAll adds the outcomes of a batch to the lost ones.
func (x *Exchange) loseAll(batch []*slot, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range batch {
		if s.outcome != nil {
			x.lost.add(s, err)
		}
	}
}
