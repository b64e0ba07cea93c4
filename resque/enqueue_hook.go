package resque

import (
	"context"
	"slices"
)

// EnqueueFunc places a job, as Client.Enqueue does.
type EnqueueFunc func(ctx context.Context, job Job) (queued bool, err error)

// EnqueueMiddleware wraps how jobs are placed. Not to call next, and to return
// false without an error, is a veto. next gets the context and the job you pass
// it; EnqueueAll calls the next job's middleware inside of this one's next, so
// that all of a chunk are on their way at once.
type EnqueueMiddleware func(next EnqueueFunc) EnqueueFunc

// BeforeEnqueue is middleware that asks hook whether a job may be placed. Nothing
// is when it says no, or returns an error, which Enqueue then returns; hooks that
// come after it are not asked.
//
// Ruby: before_enqueue, of which every one is called, whatever the others say.
func BeforeEnqueue(hook func(ctx context.Context, job Job) (ok bool, err error)) EnqueueMiddleware {
	if hook == nil {
		return nil
	}
	return func(next EnqueueFunc) EnqueueFunc {
		return func(ctx context.Context, job Job) (bool, error) {
			if ok, err := hook(ctx, job); !ok || err != nil {
				return false, err
			}
			return next(ctx, job)
		}
	}
}

// AfterEnqueue is middleware that calls hook after a job was placed. An error of
// hook is Enqueue's, with queued true all the same.
//
// Ruby: after_enqueue.
func AfterEnqueue(hook func(ctx context.Context, job Job) error) EnqueueMiddleware {
	if hook == nil {
		return nil
	}
	return func(next EnqueueFunc) EnqueueFunc {
		return func(ctx context.Context, job Job) (bool, error) {
			queued, err := next(ctx, job)
			if err == nil && queued {
				err = hook(ctx, job)
			}
			return queued, err
		}
	}
}

// DequeueFunc removes jobs, as Client.Dequeue and DequeueClass do.
type DequeueFunc func(ctx context.Context, job Job) (removed int, ok bool, err error)

// DequeueMiddleware wraps how jobs are removed. Not to call next, and to return ok
// as false without an error, is a veto.
type DequeueMiddleware func(next DequeueFunc) DequeueFunc

// BeforeDequeue is middleware that asks hook whether jobs may be removed. job has
// no arguments where all of its class are to go.
//
// Ruby: before_dequeue, of which every one is called, whatever the others say.
func BeforeDequeue(hook func(ctx context.Context, job Job) (ok bool, err error)) DequeueMiddleware {
	if hook == nil {
		return nil
	}
	return func(next DequeueFunc) DequeueFunc {
		return func(ctx context.Context, job Job) (int, bool, error) {
			if ok, err := hook(ctx, job); !ok || err != nil {
				return 0, false, err
			}
			return next(ctx, job)
		}
	}
}

// AfterDequeue is middleware that calls hook after jobs were removed, or none were
// found. An error of hook is Dequeue's, with the jobs removed all the same.
//
// Ruby: after_dequeue.
func AfterDequeue(hook func(ctx context.Context, job Job) error) DequeueMiddleware {
	if hook == nil {
		return nil
	}
	return func(next DequeueFunc) DequeueFunc {
		return func(ctx context.Context, job Job) (int, bool, error) {
			removed, ok, err := next(ctx, job)
			if err == nil && ok {
				err = hook(ctx, job)
			}
			return removed, ok, err
		}
	}
}

// clientHooks are a definition's hooks, which travel with its jobs and never
// change.
type clientHooks struct {
	enqueue []EnqueueMiddleware
	dequeue []DequeueMiddleware
}

func (h *clientHooks) enqueues() []EnqueueMiddleware {
	if h == nil {
		return nil
	}
	return h.enqueue
}

func (h *clientHooks) dequeues() []DequeueMiddleware {
	if h == nil {
		return nil
	}
	return h.dequeue
}

// hooked tells whether anything is called when job is enqueued.
func (c *Client) hooked(job Job) bool {
	return len(c.cfg.EnqueueHooks) > 0 || len(job.hooks.enqueues()) > 0
}

// enqueueBy places job by place, with the client's hooks outermost, then the
// class's.
func (c *Client) enqueueBy(ctx context.Context, job Job, place EnqueueFunc) (bool, error) {
	if !c.hooked(job) {
		return place(ctx, job)
	}
	return wrapEnqueue(c.cfg.EnqueueHooks, func(ctx context.Context, job Job) (bool, error) {
		return wrapEnqueue(job.hooks.enqueues(), place)(ctx, job)
	})(ctx, job)
}

func wrapEnqueue(middleware []EnqueueMiddleware, fn EnqueueFunc) EnqueueFunc {
	for _, wrap := range slices.Backward(middleware) {
		fn = wrap(fn)
	}
	return fn
}

func (c *Client) dequeueBy(ctx context.Context, job Job, remove DequeueFunc) (int, bool, error) {
	return wrapDequeue(c.cfg.DequeueHooks, func(ctx context.Context, job Job) (int, bool, error) {
		return wrapDequeue(job.hooks.dequeues(), remove)(ctx, job)
	})(ctx, job)
}

func wrapDequeue(middleware []DequeueMiddleware, fn DequeueFunc) DequeueFunc {
	for _, wrap := range slices.Backward(middleware) {
		fn = wrap(fn)
	}
	return fn
}
