package resque

import (
	"context"
	"fmt"
	"slices"

	"github.com/goresque/goresque/internal/rubyjson"
)

// Push places payload, which must be JSON, at the end of queue as it is. No hooks
// are called, and in inline mode nothing is performed. Errors are those of
// Enqueue.
//
// Ruby: Resque.push, which encodes what it is given.
func (c *Client) Push(ctx context.Context, queue string, payload []byte) error {
	if err := validQueue(queue); err != nil {
		return err
	}
	if err := rubyjson.Valid(payload); err != nil {
		return &UnreadableError{Queue: queue, Payload: payload, Err: err}
	}
	if err := c.store.Push(ctx, queue, payload); err != nil {
		return fmt.Errorf("resque: %w", maybeQueued(err))
	}
	return nil
}

// Pop takes the next job off queue; ok is false where there is none. From then on
// the job is in the caller's hands alone, and lost with them: workers take
// jobs in another way. Where the error is an *UnreadableError, it has what was
// popped.
//
// Ruby: Resque.pop, Resque.reserve and Resque::Job.reserve.
func (c *Client) Pop(ctx context.Context, queue string) (job *Reserved, ok bool, err error) {
	payload, ok, err := c.store.Pop(ctx, queue)
	if err != nil || !ok {
		return nil, false, err
	}
	job, err = ParseReserved(queue, payload)
	return job, err == nil, err
}

// Size is how many jobs are waiting in queue.
//
// Ruby: Resque.size.
func (c *Client) Size(ctx context.Context, queue string) (int, error) {
	return c.store.Size(ctx, queue)
}

// Queues are the names of all known queues, sorted. A queue is known from the
// first job on until it is removed, empty or not.
//
// Ruby: Resque.queues.
func (c *Client) Queues(ctx context.Context) ([]string, error) {
	names, err := c.store.Queues(ctx)
	slices.Sort(names)
	return names, err
}

// RemoveQueue removes queue with every job in it. It tells how many jobs there
// were, and whether there was such a queue at all. A pause of the queue stays.
//
// Ruby: Resque.remove_queue.
func (c *Client) RemoveQueue(ctx context.Context, queue string) (jobs int, known bool, err error) {
	known, jobs, err = c.store.RemoveQueue(ctx, queue)
	return jobs, known || jobs > 0, err
}
