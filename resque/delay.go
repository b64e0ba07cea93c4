package resque

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// due is when a job is due. It never changes.
type due struct {
	at time.Time     // see Job.At
	in time.Duration // see Job.In; used if at is zero
}

// At returns a copy of the job that is delayed until t, in place of the time that an
// earlier At or In has set. Pass it to [Client.Enqueue] or [Client.EnqueueAll]. A fraction
// of a second is cut off. A job whose second has begun by Redis's clock goes to its queue
// at once. A later job waits in Redis until a scheduler moves it: that of Ruby's
// resque-scheduler, or `goresque scheduler`.
//
// Ruby: Resque.enqueue_at.
func (j Job) At(t time.Time) Job {
	if t.IsZero() {
		t = time.Unix(0, 0) // long past, as the zero time is
	}
	j.due = &due{at: t}
	return j
}

// In returns a copy of the job that is delayed for d, counted from the time on Redis's
// clock when the job is enqueued. Otherwise it is like [Job.At].
//
// Ruby: Resque.enqueue_in.
func (j Job) In(d time.Duration) Job {
	j.due = &due{in: d}
	return j
}

// Delayed reports whether the job is delayed by [Job.At] or [Job.In], and until when if it
// is enqueued at now. Packages that write jobs with their own scripts use it together with
// [Job.Undelayed].
func (j Job) Delayed(now time.Time) (until time.Time, ok bool) {
	switch {
	case j.due == nil:
		return time.Time{}, false
	case j.due.at.IsZero():
		return now.Add(j.due.in), true
	}
	return j.due.at, true
}

// Undelayed returns a copy of the job that is not delayed.
func (j Job) Undelayed() Job {
	j.due = nil
	return j
}

// waitsFrom returns the time from which the job waits for a worker: when it is due or, if it
// is not delayed, now.
func (j Job) waitsFrom(now time.Time) time.Time {
	switch {
	case j.due == nil:
		return now
	case j.due.at.IsZero():
		return now.Add(max(j.due.in, 0))
	case j.due.at.Before(now):
		return now
	default:
		return j.due.at
	}
}

// EnqueueAt is [Client.Enqueue] of job.At(t).
//
// Ruby: Resque.enqueue_at and, with [Job.To], Resque.enqueue_at_with_queue.
func (c *Client) EnqueueAt(ctx context.Context, t time.Time, job Job) (Receipt, error) {
	return c.Enqueue(ctx, job.At(t))
}

// EnqueueIn is [Client.Enqueue] of job.In(d).
//
// Ruby: Resque.enqueue_in and, with [Job.To], Resque.enqueue_in_with_queue.
func (c *Client) EnqueueIn(ctx context.Context, d time.Duration, job Job) (Receipt, error) {
	return c.Enqueue(ctx, job.In(d))
}

// EnqueuePayloadIn delays payload for d, counted from the time on Redis's clock. When it is
// due, a scheduler moves it to queue, unchanged. Otherwise it is like
// [Client.EnqueuePayload].
func (c *Client) EnqueuePayloadIn(ctx context.Context, d time.Duration, queue string, payload []byte) (Receipt, error) {
	if c.cfg.Inline != nil {
		return c.EnqueuePayload(ctx, queue, payload)
	}
	r, err := ParsePayload(queue, payload)
	if err != nil {
		return Receipt{}, err
	}
	job := Job{Queue: queue, Class: r.Class}.In(d)
	if err := job.validate(); err != nil {
		return Receipt{}, err
	}
	at, err := c.dueTime(ctx, job, &time.Time{})
	if err != nil {
		return Receipt{}, err
	}
	item, err := delayedPayload(queue, payload)
	if err != nil {
		return Receipt{}, err
	}
	item.Due = at.Unix()
	delayed, err := c.store.Delay(ctx, item)
	return placed(job, delayReceipt(item, delayed), err)
}

// delayedPayload returns payload with a member for its queue, as resque-scheduler stores
// it: after args, or as the last member if there are no args.
func delayedPayload(queue string, payload []byte) (store.Delayed, error) {
	if d, _ := wire.ParseDelayed(payload); d.CutTo > 0 { // it has a member queue, which would be taken for this one
		return store.Delayed{}, fmt.Errorf(`resque: a payload of class %q with a member "queue" cannot be delayed`, d.Class)
	}
	member, err := rubyjson.AppendString([]byte(`,"queue":`), queue)
	if err != nil {
		return store.Delayed{}, fmt.Errorf("resque: queue %q: %w", queue, err)
	}
	spans, err := rubyjson.Spans(payload, "args")
	if err != nil {
		return store.Delayed{}, &UnreadableError{Queue: queue, Payload: payload, Err: err}
	}
	at := spans[0].End
	if at == 0 {
		at = bytes.LastIndexByte(payload, '}')
	}
	return store.Delayed{
		Queue: queue, Payload: slices.Concat(payload[:at], member, payload[at:]), CutFrom: at, CutTo: at + len(member),
	}, nil
}

// delay delays a job that has a due time. It calls no hooks.
func (c *Client) delay(ctx context.Context, job Job) (Receipt, error) {
	if err := job.validate(); err != nil {
		return Receipt{}, err
	}
	at, err := c.dueTime(ctx, job, &time.Time{})
	if err != nil {
		return Receipt{}, err
	}
	_, d, err := c.appendDelayed(nil, job, at)
	if err != nil {
		return Receipt{}, err
	}
	delayed, err := c.store.Delay(ctx, d)
	return placed(job, delayReceipt(d, delayed), err)
}

// dueTime returns the time at which job is due. If it depends on Redis's clock, dueTime
// reads the clock into now, unless now is set.
func (c *Client) dueTime(ctx context.Context, job Job, now *time.Time) (time.Time, error) {
	if !job.due.at.IsZero() {
		return job.due.at, nil
	}
	if now.IsZero() {
		clock, err := c.store.Now(ctx)
		if err != nil {
			return clock, fmt.Errorf("resque: enqueueing %s: reading Redis's clock: %w", job.Class, err)
		}
		*now = clock
	}
	return now.Add(job.due.in), nil
}

// lastDue is the last second of the last year that has four digits. JSON and Ruby's
// front end show no later time.
const lastDue = 253402300799

// appendDelayed appends the payload of a job that is due at a time to dst. It returns the
// extended slice and the job for the store. at is the zero time if the time does not
// matter.
func (c *Client) appendDelayed(dst []byte, job Job, at time.Time) ([]byte, store.Delayed, error) {
	if err := job.validate(); err != nil {
		return dst, store.Delayed{}, err
	}
	if at.Unix() > lastDue {
		return dst, store.Delayed{}, fmt.Errorf("resque: enqueueing %s: it cannot be delayed until after the year 9999", job.Class)
	}
	if !at.IsZero() {
		job = job.scheduledFor(at)
	}
	b, cut, err := c.cfg.JSON.appendDelayed(dst, job)
	if err != nil {
		return dst, store.Delayed{}, err
	}
	return b, store.Delayed{
		Due: at.Unix(), Queue: job.Queue, Payload: b[len(dst):len(b):len(b)], CutFrom: cut.Start, CutTo: cut.End,
	}, nil
}

// appendDelayed appends the payload of j as resque-scheduler stores it: with the queue
// after class and args, because that is the only form that Ruby finds. cut is the part
// of the payload that is not part of the job in its queue.
func (p JSONProfile) appendDelayed(dst []byte, j Job) (_ []byte, cut rubyjson.Span, err error) {
	spell, err := p.spelling()
	if err != nil {
		return dst, cut, err
	}
	b, err := appendJob(dst, spell, j)
	if err != nil {
		return dst, cut, err
	}
	cut.Start = len(b) - len(dst)
	if b, err = spell.AppendString(append(b, `,"queue":`...), j.Queue); err != nil {
		return dst, cut, fmt.Errorf("resque: %s: queue %q: %w", j.Class, j.Queue, err)
	}
	cut.End = len(b) - len(dst)
	if slices.ContainsFunc(j.members, func(m member) bool { return m.name == "queue" }) {
		return dst, cut, fmt.Errorf(`resque: %s: a member of a delayed job cannot be named "queue"`, j.Class)
	}
	if b, err = appendMembers(b, spell, j); err != nil {
		return dst, cut, err
	}
	return append(b, '}'), cut, nil
}

// scheduledFor returns the job with the time at which it is due in its payload, if its
// kind of payload contains the time, as that of Rails does.
func (j Job) scheduledFor(at time.Time) Job {
	if j.Class == activeJobWrapper && len(j.Args) == 1 {
		if inside, ok := j.Args[0].(interface{ ScheduledFor(at time.Time) any }); ok {
			j.Args = []any{inside.ScheduledFor(at)}
		}
	}
	return j
}

func delayReceipt(d store.Delayed, delayed bool) Receipt {
	if !delayed {
		return Receipt{State: Queued, Queue: d.Queue}
	}
	return Receipt{State: Scheduled, Queue: d.Queue, Due: time.Unix(d.Due, 0).UTC()}
}
