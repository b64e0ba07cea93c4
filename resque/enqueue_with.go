package resque

import (
	"context"
	"fmt"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
)

// pushWith pushes or delays a job whose class has policies that take part in that. It
// calls no hooks.
func (c *Client) pushWith(ctx context.Context, job Job, front bool) (Receipt, error) {
	p, _, err := c.appendPushing(ctx, nil, job, &time.Time{})
	if err != nil {
		return Receipt{}, err
	}
	p.Front = front
	pushed, err := c.store.PushWith(ctx, p)
	return placed(job, pushReceipt(p, pushed), err)
}

// appendPushing appends the payload of a job to dst. It returns the extended slice and
// the job with what its policies write. For now see dueTime.
func (c *Client) appendPushing(ctx context.Context, dst []byte, job Job, now *time.Time) (p store.Pushing, _ []byte, err error) {
	if err := job.validate(); err != nil {
		return p, dst, err
	}
	b := dst
	if job.due == nil {
		b, err = c.appendPayload(dst, job)
		p.Delayed = store.Delayed{Queue: job.Queue, Payload: b[len(dst):len(b):len(b)]}
	} else {
		var due time.Time
		if due, err = c.dueTime(ctx, job, now); err == nil {
			b, p.Delayed, err = c.appendDelayed(dst, job, due)
		}
	}
	if err == nil {
		p.Effects, err = c.pushEffects(job, p.Payload)
	}
	return p, b, err
}

// pushEffects returns what the policies of a job's class write when it is pushed.
func (c *Client) pushEffects(job Job, payload []byte) ([]store.Effect, error) {
	policies := job.hooks.pushing()
	if policies == nil {
		return nil, nil
	}
	given, err := ParsePayload(job.Queue, payload)
	if err == nil && job.hooks.wrapper != nil {
		given, err = job.hooks.wrapper.Unwrap(given)
	}
	if err != nil {
		return nil, err
	}
	if IsEncrypted(given.Args) {
		return nil, fmt.Errorf("resque: enqueueing %s: a class with a unique.Policy or of status.Define cannot be encrypted, because these need its arguments", given.Class)
	}
	effects, err := policies.Push(&policy.Job{
		Class: given.Class, Queue: job.Queue, Args: given.Args, Payload: payload, Given: given, Store: c.store,
	})
	if err != nil {
		return nil, fmt.Errorf("resque: enqueueing %s: %w", given.Class, err)
	}
	return effects, nil
}

func pushReceipt(p store.Pushing, pushed store.Pushed) Receipt {
	switch pushed {
	case store.PushedRefused:
		return Receipt{State: Duplicate, Queue: p.Queue}
	case store.PushedLater:
		return delayReceipt(p.Delayed, true)
	case store.PushedNow:
	}
	return Receipt{State: Queued, Queue: p.Queue}
}
