package resque

import (
	"context"
	"slices"
)

// EnqueueFunc enqueues a job, as [Client.Enqueue] does.
type EnqueueFunc func(ctx context.Context, job Job) (Receipt, error)

// EnqueueMiddleware wraps how jobs are enqueued. To veto a job, return a [Receipt]
// whose State is [Vetoed], and do not call next. next gets the context and the job that you pass it. [Client.EnqueueAll] calls the
// middleware of the next job inside this one's next, so that the jobs of a chunk
// are sent together.
type EnqueueMiddleware func(next EnqueueFunc) EnqueueFunc

// BeforeEnqueue is middleware that asks hook whether a job may be enqueued. If ok is
// false the job is [Vetoed]; an error is that of Enqueue. In both cases nothing is
// enqueued, and the hooks after this one are not called.
//
// Ruby: before_enqueue, of which every one is called, whatever the others say.
func BeforeEnqueue(hook func(ctx context.Context, job Job) (ok bool, err error)) EnqueueMiddleware {
	if hook == nil {
		return nil
	}
	return func(next EnqueueFunc) EnqueueFunc {
		return func(ctx context.Context, job Job) (Receipt, error) {
			ok, err := hook(ctx, job)
			if err != nil {
				return Receipt{}, err
			}
			if !ok {
				return Receipt{State: Vetoed, Queue: job.Queue}, nil
			}
			return next(ctx, job)
		}
	}
}

// AfterEnqueue is middleware that calls hook after a job was enqueued. An error of
// hook is that of Enqueue; the receipt still says that the job was enqueued.
//
// Ruby: after_enqueue.
func AfterEnqueue(hook func(ctx context.Context, job Job) error) EnqueueMiddleware {
	if hook == nil {
		return nil
	}
	return func(next EnqueueFunc) EnqueueFunc {
		return func(ctx context.Context, job Job) (Receipt, error) {
			receipt, err := next(ctx, job)
			if err == nil && receipt.Enqueued() {
				err = hook(ctx, job)
			}
			return receipt, err
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

// enqueueBy enqueues job by place, with the client's hooks outermost, then the
// class's.
func (c *Client) enqueueBy(ctx context.Context, job Job, place EnqueueFunc) (Receipt, error) {
	if !c.hooked(job) {
		return place(ctx, job)
	}
	receipt, err := wrapEnqueue(c.cfg.EnqueueHooks, func(ctx context.Context, job Job) (Receipt, error) {
		return wrapEnqueue(job.hooks.enqueues(), place)(ctx, job)
	})(ctx, job)
	if receipt.State == "" && err == nil {
		receipt = Receipt{State: Vetoed, Queue: job.Queue}
	}
	return receipt, err
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
