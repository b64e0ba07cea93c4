package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// callTimeout bounds one call. It must be long enough for a busy Redis: giving
// up early costs a second call, never a job.
const callTimeout = 15 * time.Second

// call settles and reserves for a batch until Redis has answered for each of
// its seats, however long that takes. Trying again is safe: the guards of the
// outcomes and the records of the slots make a second call change nothing that
// a first one has done. When ctx ends, what is not yet settled still is, within
// leaveTimeout.
func (x *exchange) call(ctx context.Context, batch []*seat) {
	wait := newPatience()
	for attempt := 1; ; attempt++ {
		free := ctx.Err() == nil
		if !free {
			batch = x.dismiss(batch)
		}
		if len(batch) == 0 {
			return
		}
		taking := free && !x.isHeld()
		reply, err := x.ask(ctx, batch, taking)
		if err == nil {
			x.redis.ended()
			if taking {
				x.looked(x.queues.known, len(reply.Reserved))
			}
			batch = x.deliver(ctx, batch, reply, attempt)
			continue
		}
		x.redis.began(err)
		if !wait.again(ctx) {
			x.giveUp(batch, err)
			return
		}
	}
}

// dismiss drops the seats that have nothing to hand in: the worker stops.
func (x *exchange) dismiss(batch []*seat) []*seat {
	return slices.DeleteFunc(batch, func(s *seat) bool { return s.outcome == nil })
}

// ask makes the one call to Redis.
func (x *exchange) ask(ctx context.Context, batch []*seat, taking bool) (reply store.Exchanged, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	var queues []string
	if taking {
		if queues, err = x.queues.look(ctx); err != nil {
			return reply, err
		}
		queues = x.lastOnes(queues)
	}
	x.finished, x.free, x.asked = x.finished[:0], x.free[:0], x.asked[:0]
	for _, s := range batch {
		if s.outcome != nil {
			x.finished = append(x.finished, *s.outcome)
			x.asked = append(x.asked, s)
		}
		if taking && !s.rests {
			x.free = append(x.free, store.Slot{Worker: s.worker})
		}
	}
	for i, runAt := range x.runAts(len(x.free)) {
		x.free[i].RunAt = runAt
	}
	return x.backend.Exchange(ctx, queues, x.finished, x.free)
}

// runAts are now, each later than any before: they make each reserve's record
// its own, also where the clock stands still or is set back, and tell the order
// in which the jobs of one call were taken.
func (x *exchange) runAts(n int) []string {
	now := time.Now().Round(0)
	if !now.After(x.stamp) {
		now = x.stamp.Add(time.Nanosecond)
	}
	x.stamp = now.Add(time.Duration(n))
	return store.RunAts(now, n)
}

// deliver brings what a reply says to the seats. It returns those that need
// another call because the worker has begun to stop: their jobs, not yet
// started, go back.
func (x *exchange) deliver(ctx context.Context, batch []*seat, reply store.Exchanged, attempt int) (again []*seat) {
	registered := x.report(ctx, reply)
	x.settle(reply.Settled, attempt)
	x.mu.Lock()
	defer x.mu.Unlock()
	stopping := ctx.Err() != nil
	short, rested := false, false
	jobs := reply.Reserved // in the order of the batch
	for _, s := range batch {
		ok := len(jobs) > 0 && jobs[0].Worker == s.worker
		var job store.Reserved
		if ok {
			job, jobs = jobs[0], jobs[1:]
		}
		switch {
		case s.err != nil: // what is in its record is the job that has ended
			x.refused = append(x.refused, s)
		case ok && stopping:
			s.outcome, s.returns = &x.outcomes.unstarted(job).Outcome, true
			again = append(again, s)
		case ok:
			x.ready = append(x.ready, readyJob{s, job})
		case stopping:
		default:
			short, rested = true, rested || s.rests
			s.rests = false
			x.idle = append(x.idle, s)
		}
	}
	x.unsure = len(reply.Unknown) > 0 // of those Redis looks for no jobs
	switch {
	case reply.More:
		x.look = true
	case !short: // everybody in this call got a job, so there may be more
		x.look = len(x.idle) > 0
	case x.cfg.UntilEmpty && !rested && (registered || !x.queues.fresh): // jobs may have made queues meanwhile
		x.queues.forget()
		x.look = true
	}
	slices.Reverse(again) // the last one taken goes back to the front first
	return again
}

// settle takes the outcomes that Redis has off their seats and notes why it
// refused the others.
func (x *exchange) settle(settled []store.Settled, attempt int) {
	for i, s := range x.asked {
		if s.err = settled[i].Err; s.err != nil {
			if s.refusal == nil {
				s.refusal = newPatience()
				x.log.Error("the end of a job cannot be recorded, trying again", "worker", s.worker, "err", s.err)
			}
			continue
		}
		if !settled[i].Ours && attempt == 1 {
			x.log.Warn("a job's record was taken over while it ran: its end is not recorded", "worker", s.worker)
		}
		s.outcome, s.refusal = nil, nil
	}
}

// report logs what a reply says beside its jobs, once for each change, and
// registers slots again that somebody has pruned; registered tells that it did.
func (x *exchange) report(ctx context.Context, reply store.Exchanged) (registered bool) {
	if reply.Paused != x.paused {
		x.paused = reply.Paused
		x.notePaused(x.paused)
		if x.paused {
			x.log.Info("paused: pause-all-workers or pause:all is set")
		} else {
			x.log.Info("resumed")
		}
	}
	fault := ""
	if reply.Fault != nil {
		fault = reply.Fault.Error()
	}
	if fault != x.fault {
		x.fault = fault
		if fault != "" {
			x.log.Error("a queue cannot be read", "err", reply.Fault)
		}
	}
	return len(reply.Unknown) > 0 && ctx.Err() == nil && x.register(ctx, reply.Unknown)
}

func (x *exchange) register(ctx context.Context, workers []string) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	x.log.Warn("registrations of this worker were removed by somebody; registering again", "workers", workers)
	_, err := x.backend.Register(ctx, workers, time.Now(), true)
	if err != nil {
		x.redis.began(err)
	}
	return err == nil
}

// giveUp drops the outcomes of a batch that Redis did not answer for.
func (x *exchange) giveUp(batch []*seat, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range batch {
		if s.outcome != nil {
			x.drop(s, err)
		}
	}
}

// drop gives an outcome up. mu is held.
func (x *exchange) drop(s *seat, err error) {
	x.dropped = append(x.dropped, fmt.Errorf("the end of a job of %s is not recorded: %w", s.worker, err))
	if !s.returns {
		x.stay = append(x.stay, s.worker)
	}
}

// lost tells of the jobs whose ends Redis never got; their records are still
// there, to be swept. unsettled are the slots that must stay registered for that:
// leaving puts the job in a record back to its queue, and these were performed.
func (x *exchange) lost() (unsettled []string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.stay, errors.Join(x.dropped...)
}
