package resque

import "context"

// Pause stops all workers of the namespace from taking jobs, Go's and Ruby's.
// Jobs in hand go on.
//
// Ruby: the key pause-all-workers, which Resque::Worker#paused? reads.
func (c *Client) Pause(ctx context.Context) error { return c.store.PauseAll(ctx, true) }

// Resume lets the workers that Pause has stopped go on. Queues that are paused
// by themselves stay so.
func (c *Client) Resume(ctx context.Context) error { return c.store.PauseAll(ctx, false) }

// PauseQueue stops Go's workers from taking jobs of queue, and Ruby's where they
// have the resque-pause plugin.
func (c *Client) PauseQueue(ctx context.Context, queue string) error {
	return c.store.PauseQueue(ctx, queue, true)
}

// ResumeQueue lets workers take jobs of queue again.
func (c *Client) ResumeQueue(ctx context.Context, queue string) error {
	return c.store.PauseQueue(ctx, queue, false)
}
