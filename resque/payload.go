package resque

import "context"

// EnqueuePayload places a payload on queue as it is: for what has come from a
// queue before and goes back with some of its bytes replaced. Members that
// others have added stay in it. Errors are those of Enqueue, and an
// *UnreadableError where payload is no job.
func (c *Client) EnqueuePayload(ctx context.Context, queue string, payload []byte) (queued bool, err error) {
	r, err := ParseReserved(queue, payload)
	if err != nil {
		return false, err
	}
	job := Job{Queue: queue, Class: r.Class}
	if err := job.validate(); err != nil {
		return false, err
	}
	if c.cfg.Inline != nil {
		return c.performInline(ctx, queue, payload)
	}
	if err := c.store.Push(ctx, queue, payload); err != nil {
		return false, enqueueError(job, err)
	}
	return true, nil
}
