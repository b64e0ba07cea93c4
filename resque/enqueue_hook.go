package resque

import (
	"context"
	"slices"

	"github.com/goresque/goresque/internal/policy"
)

// EnqueueFunc is a function that enqueues a job, as [Client.Enqueue] does.
type EnqueueFunc func(ctx context.Context, job Job) (Receipt, error)

// EnqueueMiddleware wraps a function that enqueues jobs. It may pass another context or
// another job to next. To veto a job, it returns a [Receipt] whose State is [Vetoed] and
// does not call next. [Client.EnqueueAll] calls the middleware of the following job
// inside next, so that it can send the jobs of a chunk together.
type EnqueueMiddleware func(next EnqueueFunc) EnqueueFunc

// BeforeEnqueue returns middleware that calls hook before a job is enqueued. If hook
// returns false, the job is [Vetoed]. If hook returns an error, Enqueue returns it. In
// both cases the job is not enqueued, and later hooks are not called.
//
// Ruby: before_enqueue. Ruby calls all hooks even if one of them vetoes the job.
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

// AfterEnqueue returns middleware that calls hook after a job is enqueued. If hook
// returns an error, Enqueue returns it with a receipt that reports the job as enqueued.
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

// DequeueFunc is a function that removes jobs, as [Client.Dequeue] and
// [Client.DequeueClass] do.
type DequeueFunc func(ctx context.Context, job Job) (removed int64, ok bool, err error)

// DequeueMiddleware wraps a function that removes jobs. To veto the removal, it returns
// false and no error, and does not call next.
type DequeueMiddleware func(next DequeueFunc) DequeueFunc

// BeforeDequeue returns middleware that calls hook before jobs are removed. If hook
// returns false or an error, no jobs are removed. job has no arguments if all jobs of
// its class are to be removed.
//
// Ruby: before_dequeue. Ruby calls all hooks even if one of them vetoes the removal.
func BeforeDequeue(hook func(ctx context.Context, job Job) (ok bool, err error)) DequeueMiddleware {
	if hook == nil {
		return nil
	}
	return func(next DequeueFunc) DequeueFunc {
		return func(ctx context.Context, job Job) (int64, bool, error) {
			if ok, err := hook(ctx, job); !ok || err != nil {
				return 0, false, err
			}
			return next(ctx, job)
		}
	}
}

// AfterDequeue returns middleware that calls hook after jobs are removed, also if none
// were found. If hook returns an error, Dequeue returns it; the jobs stay removed.
//
// Ruby: after_dequeue.
func AfterDequeue(hook func(ctx context.Context, job Job) error) DequeueMiddleware {
	if hook == nil {
		return nil
	}
	return func(next DequeueFunc) DequeueFunc {
		return func(ctx context.Context, job Job) (int64, bool, error) {
			removed, ok, err := next(ctx, job)
			if err == nil && ok {
				err = hook(ctx, job)
			}
			return removed, ok, err
		}
	}
}

// clientHooks are what a definition adds to the enqueueing and dequeueing of its jobs.
// The jobs point to them. They never change.
type clientHooks struct {
	enqueue []EnqueueMiddleware
	dequeue []DequeueMiddleware

	class    string
	policies policy.Set // nil if none takes part in pushes
	wrapper  *Wrapper   // that of the class's jobs, if they are wrapped
}

// pushing returns the policies that take part in pushes, nil if there are none.
func (h *clientHooks) pushing() policy.Set {
	if h == nil {
		return nil
	}
	return h.policies
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

// hooked reports whether enqueueing job calls any hook.
func (c *Client) hooked(job Job) bool {
	return len(c.cfg.EnqueueHooks) > 0 || len(job.hooks.enqueues()) > 0
}

// enqueueBy enqueues job with place inside the client's hooks and the job's hooks. The
// client's hooks are outermost.
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

func (c *Client) dequeueBy(ctx context.Context, job Job, remove DequeueFunc) (int64, bool, error) {
	return wrapDequeue(c.cfg.DequeueHooks, func(ctx context.Context, job Job) (int64, bool, error) {
		return wrapDequeue(job.hooks.dequeues(), remove)(ctx, job)
	})(ctx, job)
}

func wrapDequeue(middleware []DequeueMiddleware, fn DequeueFunc) DequeueFunc {
	for _, wrap := range slices.Backward(middleware) {
		fn = wrap(fn)
	}
	return fn
}
