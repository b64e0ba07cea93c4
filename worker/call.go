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
// its turns, however long that takes. Trying again is safe: the guards of the
// outcomes and the records of the slots make a second call change nothing that
// a first one has done. When ctx ends, what is not yet settled still is, within
// leaveTimeout.
func (x *exchange) call(ctx context.Context, batch []*turn) {
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
		reply, asked, err := x.ask(ctx, batch, taking)
		if err == nil {
			x.redis.ended()
			if taking {
				x.looked(x.queues.known, len(reply.Reserved))
			}
			batch = x.deliver(ctx, batch, asked, reply, attempt)
			continue
		}
		x.redis.began(err)
		if !wait.again(ctx) {
			x.giveUp(batch, err)
			return
		}
	}
}

// dismiss answers the turns that have nothing to hand in: the worker stops.
func (x *exchange) dismiss(batch []*turn) []*turn {
	return slices.DeleteFunc(batch, func(t *turn) bool {
		if t.outcome == nil {
			t.answer <- answer{}
			return true
		}
		return false
	})
}

// ask makes the one call to Redis. asked are the turns that handed something in.
func (x *exchange) ask(ctx context.Context, batch []*turn, taking bool) (reply store.Exchanged, asked []*turn, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	var (
		finished []store.Outcome
		slots    []store.Slot
		queues   []string
	)
	if taking {
		if queues, err = x.queues.look(ctx); err != nil {
			return reply, nil, err
		}
	}
	for _, t := range batch {
		if t.outcome != nil {
			finished = append(finished, *t.outcome)
			asked = append(asked, t)
		}
		if taking && !t.rests {
			slots = append(slots, store.Slot{Worker: t.worker, RunAt: x.runAt()})
		}
	}
	reply, err = x.backend.Exchange(ctx, queues, finished, slots)
	return reply, asked, err
}

// runAt is now, and later than any before: it makes each reserve's record its
// own, also where the clock stands still or is set back, and tells the order in
// which the jobs of one call were taken.
func (x *exchange) runAt() string {
	now := time.Now().Round(0)
	if !now.After(x.stamp) {
		now = x.stamp.Add(time.Nanosecond)
	}
	x.stamp = now
	return store.FormatRunAt(now)
}

// deliver gives a reply's answers to their turns. It returns the turns that
// need another call because the worker has begun to stop: their jobs, not yet
// started, go back.
func (x *exchange) deliver(ctx context.Context, batch, asked []*turn, reply store.Exchanged, attempt int) (again []*turn) {
	x.report(ctx, reply)
	refused := x.settle(asked, reply.Settled, attempt)
	jobs := make(map[string]store.Reserved, len(reply.Reserved))
	for _, job := range reply.Reserved {
		jobs[job.Worker] = job
	}
	stopping := ctx.Err() != nil
	short := false
	for _, t := range batch {
		job, ok := jobs[t.worker]
		switch {
		case refused[t] != nil: // what is in its record is the job that has ended
			t.answer <- answer{err: refused[t]}
		case ok && stopping:
			t.outcome, t.returns = &x.outcomes.unstarted(job).Outcome, true
			again = append(again, t)
		case ok:
			t.answer <- answer{job: job, ok: true}
		case stopping || (x.cfg.UntilEmpty && len(reply.Unknown) == 0):
			t.answer <- answer{}
		default:
			short = true
			x.rest(t)
		}
	}
	if !short {
		x.wakeIdle()
	}
	slices.Reverse(again) // the last one taken goes back to the front first
	return again
}

// settle takes the outcomes that Redis has off their turns and returns why it
// refused the others.
func (x *exchange) settle(asked []*turn, settled []store.Settled, attempt int) map[*turn]error {
	refused := map[*turn]error{}
	for i, t := range asked {
		if settled[i].Err != nil {
			refused[t] = settled[i].Err
			continue
		}
		if !settled[i].Ours && attempt == 1 {
			x.log.Warn("a job's record was taken over while it ran: its end is not recorded", "worker", t.worker)
		}
		t.outcome = nil
	}
	return refused
}

// rest makes a turn idle.
func (x *exchange) rest(t *turn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	t.rests = false
	x.idle = append(x.idle, t)
}

// wakeIdle has the idle ones look with the next call: everybody in this one got
// a job, so there may be more.
func (x *exchange) wakeIdle() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.look = len(x.idle) > 0
}

// report logs what a reply says beside its jobs, once for each change, and
// registers slots again that somebody has pruned.
func (x *exchange) report(ctx context.Context, reply store.Exchanged) {
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
	if len(reply.Unknown) > 0 && ctx.Err() == nil {
		x.register(ctx, reply.Unknown)
	}
}

func (x *exchange) register(ctx context.Context, workers []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	x.log.Warn("registrations of this worker were removed by somebody; registering again", "workers", workers)
	if _, err := x.backend.Register(ctx, workers, time.Now(), true); err != nil {
		x.redis.began(err)
	}
}

// giveUp stops the turns of a batch that Redis did not answer for.
func (x *exchange) giveUp(batch []*turn, err error) {
	for _, t := range batch {
		if t.outcome != nil {
			x.drop(t, err)
		}
		t.answer <- answer{}
	}
}

func (x *exchange) drop(t *turn, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dropped = append(x.dropped, fmt.Errorf("the end of a job of %s is not recorded: %w", t.worker, err))
	if !t.returns {
		x.stay = append(x.stay, t.worker)
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
