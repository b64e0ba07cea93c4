package worker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/resque"
)

// jobContext is the context of a running job. It is part of the running job and makes a
// context of package context only when it is needed, because most jobs end before anything
// asks whether their context has ended.
//
// The zero value is not a context: set values and job first.
type jobContext struct {
	values context.Context // has the other values, and never ends
	job    *resque.Payload

	made atomic.Pointer[madeContext] // nil until it is needed

	mu    sync.Mutex // guards cause, and held while made is set
	cause error      // why the context has ended; nil if it has not
}

// madeContext is a context of package context, with the function that ends it.
type madeContext struct {
	context.Context
	end context.CancelCauseFunc
}

var _ context.Context = (*jobContext)(nil)

// limit makes the context end after a duration with a cause. It is called before any
// other method.
func (c *jobContext) limit(after time.Duration, cause error) {
	outer, end := context.WithCancelCause(c.values)
	inner, stop := context.WithTimeoutCause(outer, after, cause)
	c.made.Store(&madeContext{inner, func(cause error) {
		end(cause) // first, because stop sets no cause
		stop()
	}})
}

// end ends the context. If cause is nil, it is context.Canceled. A second call changes
// nothing.
func (c *jobContext) end(cause error) {
	c.mu.Lock()
	if c.cause == nil {
		if c.cause = cause; cause == nil {
			c.cause = context.Canceled
		}
	}
	cause = c.cause
	made := c.made.Load()
	c.mu.Unlock()
	if made != nil {
		made.end(cause)
	}
}

// standard returns a context of package context that ends with c.
func (c *jobContext) standard() *madeContext {
	if made := c.made.Load(); made != nil {
		return made
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if made := c.made.Load(); made != nil {
		return made
	}
	ctx, end := context.WithCancelCause(c.values)
	if c.cause != nil {
		end(c.cause)
	}
	made := &madeContext{ctx, end}
	c.made.Store(made)
	return made
}

// Deadline implements context.Context. Only limit sets a deadline.
func (c *jobContext) Deadline() (deadline time.Time, ok bool) {
	if made := c.made.Load(); made != nil {
		return made.Deadline()
	}
	return time.Time{}, false
}

// Done implements context.Context.
func (c *jobContext) Done() <-chan struct{} { return c.standard().Done() }

// Err implements context.Context.
func (c *jobContext) Err() error {
	if made := c.made.Load(); made != nil {
		return made.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if made := c.made.Load(); made != nil {
		return made.Err()
	}
	if c.cause != nil {
		return context.Canceled
	}
	return nil
}

// Value implements context.Context. Package context finds the cause of the end, and the
// children to end, by a key that only the standard context knows.
func (c *jobContext) Value(key any) any {
	if key == (policy.JobKey{}) {
		return c.job
	}
	if value := c.values.Value(key); value != nil {
		return value
	}
	return c.standard().Value(key)
}

// String describes the context. Without it, a context that is logged would show the arguments
// of its job, and would be read while it changes.
func (c *jobContext) String() string { return "the context of a job of " + c.job.Class }
