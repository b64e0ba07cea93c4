package resque

import "context"

// Dequeue removes from job's queue every copy of job: same class, same arguments,
// and the same spelling, byte for byte. It tells how many there were; ok is false
// where a hook has vetoed it.
//
// Ruby: Resque.dequeue and Resque::Job.destroy with arguments.
func (c *Client) Dequeue(ctx context.Context, job Job) (removed int, ok bool, err error) {
	return c.dequeueBy(ctx, job, func(ctx context.Context, job Job) (int, bool, error) {
		if err := job.validate(); err != nil {
			return 0, false, err
		}
		payload, err := c.appendPayload(nil, job)
		if err != nil {
			return 0, false, err
		}
		removed, err := c.store.Remove(ctx, job.Queue, payload)
		return removed, err == nil, err
	})
}

// DequeueClass removes from job's queue every job of its class, whatever the
// arguments; those of job do not count, and a definition's Any makes one without.
// It tells how many there were; ok is false where a hook has vetoed it.
//
// It goes through the queue from its end in parts, each of which is one step of
// Redis, and looks at no job that is pushed meanwhile, unless workers have taken as
// many from the front by then. Jobs that are put back at the front meanwhile may
// save as many others.
//
// Ruby: Resque.dequeue and Resque::Job.destroy without arguments.
func (c *Client) DequeueClass(ctx context.Context, job Job) (removed int, ok bool, err error) {
	job.Args = nil
	return c.dequeueBy(ctx, job, func(ctx context.Context, job Job) (int, bool, error) {
		if err := job.validate(); err != nil {
			return 0, false, err
		}
		removed, err := c.store.RemoveClass(ctx, job.Queue, job.Class)
		return removed, err == nil, err
	})
}
