package resque

import (
	"context"
	"fmt"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
)

// locks finds the locks of jobs that are removed or restored, by the policies of their
// classes.
type locks struct {
	store *store.Store
	jobs  Handler
}

func (c *Client) locks() locks { return locks{c.store, c.jobs} }

// any reports whether there may be jobs with locks.
func (l locks) any() bool { return l.jobs != nil }

// of returns the locks that jobs of a queue hold while they are there.
func (l locks) of(queue string, payloads ...[]byte) (all []store.RubyLock) {
	if l.jobs == nil {
		return nil
	}
	for _, payload := range payloads {
		given, err := ParsePayload(queue, payload)
		if err == nil {
			given, err = Unwrap(l.jobs, given)
		}
		if err != nil {
			continue // it has no class, so no policy
		}
		policies := PoliciesOf(l.jobs, given.Class)
		if len(policies) == 0 {
			continue
		}
		all = append(all, policies.Locks(&policy.Job{
			Class: given.Class, Queue: queue, Args: given.Args, Payload: payload, Given: given, Store: l.store,
		})...)
	}
	return all
}

// free frees the locks of jobs that were removed.
func (l locks) free(ctx context.Context, queue string, payloads ...[]byte) error {
	return l.release(ctx, l.of(queue, payloads...))
}

func (l locks) release(ctx context.Context, all []store.RubyLock) error {
	texts, _, err := l.store.LockTexts(ctx, all)
	if err == nil {
		_, err = l.store.Unlock(ctx, all, texts)
	}
	if err != nil {
		return fmt.Errorf("resque: the jobs are removed, but their locks stay until they expire: %w", err)
	}
	return nil
}

// locksOf returns the locks of a job to be removed.
func (c *Client) locksOf(job Job, payload []byte) []store.RubyLock {
	policies := job.hooks.pushing()
	if policies == nil {
		return c.locks().of(job.Queue, payload)
	}
	given, err := ParsePayload(job.Queue, payload)
	if err == nil && job.hooks.wrapper != nil {
		given, err = job.hooks.wrapper.Unwrap(given)
	}
	if err != nil {
		return nil
	}
	return policies.Locks(&policy.Job{Class: given.Class, Queue: job.Queue, Args: given.Args, Payload: payload, Given: given, Store: c.store})
}

// HeldLock is a lock in Redis.
type HeldLock struct {
	Key  string        // with the namespace
	Text string        // what it holds
	Left time.Duration // until it expires; 0 if it does not
}

// HeldLocks returns the locks of an equal job that refuse to enqueue job, for packages of
// policies such as unique. It reads Redis.
func (c *Client) HeldLocks(ctx context.Context, job Job) ([]HeldLock, error) {
	payload, err := c.appendPayload(nil, job)
	if err != nil {
		return nil, err
	}
	all := c.locksOf(job, payload)
	texts, lives, err := c.store.LockTexts(ctx, all)
	if err != nil {
		return nil, fmt.Errorf("resque: %w", err)
	}
	var held []HeldLock
	for i, text := range texts {
		if text != "" {
			held = append(held, HeldLock{Key: all[i].Key, Text: text, Left: max(lives[i], 0)})
		}
	}
	return held, nil
}
