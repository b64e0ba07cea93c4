package resque

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// RemoveDelayed cancels all delayed copies of job, whenever they are due, and returns
// their number. It compares bytes, as Ruby does: class, arguments, queue and members must
// be those with which the job was delayed, in the spelling of this client's JSONProfile.
// Jobs that were delayed with another queue stay, so give the queue with [Job.To] if it
// is not that of the definition. A Rails job is found only with its id and the time of
// [Job.At], because its payload contains them. To select jobs by class or arguments, use [Delayed.RemoveAll].
//
// Ruby: Resque.remove_delayed and Resque.remove_delayed_in_queue.
func (c *Client) RemoveDelayed(ctx context.Context, job Job) (int64, error) {
	did, err := c.again(ctx, job, job.dueAt(), store.AgainNot)
	if err == nil && did.Removed > 0 {
		var payload []byte
		if payload, err = c.appendPayload(nil, job); err == nil {
			err = errors.Join(c.freeOfDelayed(ctx, job, payload), forgetAttempts(ctx, c.store, c.queue(job).locks.jobs, parsedJobs(job.Queue, payload)...))
		}
	}
	return did.Removed, err
}

// EnqueueDelayed takes all delayed copies of job to the end of its queue now, in one
// step, and returns their number. It finds them as [Client.RemoveDelayed] does. Hooks
// are not called, because they were called when the jobs were delayed. If the error wraps
// [ErrMaybeQueued], the jobs may have been queued; none is lost.
//
// Ruby: Resque.enqueue_delayed and Resque.enqueue_delayed_with_queue.
func (c *Client) EnqueueDelayed(ctx context.Context, job Job) (int64, error) {
	did, err := c.again(ctx, job, job.dueAt(), store.AgainPush)
	return did.Pushed, err
}

// DelayOrEnqueueAt delays job until t and cancels all other delayed copies of it, which
// it finds as [Client.RemoveDelayed] does, in one step. If there were several copies, as
// many are delayed, as in Ruby. It returns how many copies are delayed or, if t has come,
// queued. Use it to perform a job once after a series of events. It calls the hooks of
// [Client.Enqueue] once; if one vetoes the job, nothing changes and it returns 0.
//
// It refuses jobs of a class with a policy that takes part in each push: a unique.Policy keeps
// the first copy, whose lock belongs to it, and status.Define gives each job its own id,
// so no two are copies of each other.
//
// Ruby: Resque.delay_or_enqueue_at.
func (c *Client) DelayOrEnqueueAt(ctx context.Context, t time.Time, job Job) (int64, error) {
	return c.delayOrEnqueue(ctx, job.At(t))
}

// DelayOrEnqueueIn is like [Client.DelayOrEnqueueAt] with a time that is d after the one
// on Redis's clock.
//
// Ruby: Resque.delay_or_enqueue_in.
func (c *Client) DelayOrEnqueueIn(ctx context.Context, d time.Duration, job Job) (int64, error) {
	return c.delayOrEnqueue(ctx, job.In(d))
}

func (c *Client) delayOrEnqueue(ctx context.Context, job Job) (copies int64, err error) {
	_, err = c.enqueueBy(ctx, job, func(ctx context.Context, job Job) (Receipt, error) {
		if job.due == nil || c.cfg.Inline != nil {
			receipt, err := c.enqueue(ctx, job)
			if err == nil {
				copies = 1
			}
			return receipt, err
		}
		if err := job.validate(); err != nil {
			return Receipt{}, err
		}
		if policies := job.hooks.pushing(); policies != nil {
			return Receipt{}, fmt.Errorf("resque: delaying %s: a job of a class with %s cannot be delayed again: remove the delayed one and enqueue another with At", job.Class, policies.Pushing())
		}
		at, err := c.dueTime(ctx, job, &time.Time{})
		if err != nil {
			return Receipt{}, err
		}
		did, err := c.again(ctx, job, at, store.AgainDelay)
		copies = did.Delayed + did.Pushed
		if err != nil {
			return Receipt{}, err
		}
		return delayReceipt(store.Delayed{Due: at.Unix(), Queue: job.Queue}, did.Delayed > 0), nil
	})
	return copies, err
}

// dueAt returns the time of At, or the zero time.
func (j Job) dueAt() time.Time {
	if j.due == nil {
		return time.Time{}
	}
	return j.due.at
}

// again runs DelayAgain on the payload that job has when it is due at a time.
func (c *Client) again(ctx context.Context, job Job, at time.Time, what store.Again) (store.DelayedAgain, error) {
	_, d, err := c.appendDelayed(nil, job, at)
	if err != nil {
		return store.DelayedAgain{}, err
	}
	did, err := c.store.DelayAgain(ctx, d, what)
	switch {
	case err == nil:
		return did, nil
	case what == store.AgainNot:
		return did, fmt.Errorf("resque: removing delayed jobs of %s: %w", job.Class, err)
	}
	return did, enqueueError(job, err)
}

// ScheduledAt returns the times at which delayed copies of job are due, sorted. It finds
// them as [Client.RemoveDelayed] does. Several copies in the same second count once.
//
// Ruby: Resque.scheduled_at, and Resque.delayed?, which reports whether there are any.
func (c *Client) ScheduledAt(ctx context.Context, job Job) ([]time.Time, error) {
	_, d, err := c.appendDelayed(nil, job, job.dueAt())
	if err != nil {
		return nil, err
	}
	seconds, err := c.store.ScheduledAt(ctx, d.Payload)
	if err != nil {
		return nil, fmt.Errorf("resque: %w", err)
	}
	times := make([]time.Time, len(seconds))
	for i, second := range seconds {
		times[i] = time.Unix(second, 0).UTC()
	}
	return times, nil
}
