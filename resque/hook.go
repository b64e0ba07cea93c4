package resque

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// ErrDontPerform is returned by a BeforePerform hook, or by any handler, to say
// that the job is not to be performed and is no failure either. It counts as
// processed.
//
// Ruby: Resque::Job::DontPerform.
var ErrDontPerform = errors.New("resque: do not perform this job")

// BeforePerform is middleware that calls hook before each job. The job is not
// performed when hook returns an error: it fails with it, unless the error is
// ErrDontPerform.
//
// Ruby: before_perform.
func BeforePerform(hook HandlerFunc) Middleware {
	if hook == nil {
		return nil
	}
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, job *Payload) error {
			if err := hook(ctx, job); err != nil {
				return err
			}
			return next.Perform(ctx, job)
		})
	}
}

// AfterPerform is middleware that calls hook after each job that was performed
// without an error. One that hook returns makes the job fail.
//
// Ruby: after_perform.
func AfterPerform(hook HandlerFunc) Middleware {
	if hook == nil {
		return nil
	}
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, job *Payload) error {
			if err := next.Perform(ctx, job); err != nil {
				return err
			}
			return hook(ctx, job)
		})
	}
}

// AroundPerform is middleware that calls hook instead of each job; hook calls
// perform, or leaves it. What it returns is how the job ends.
//
// Ruby: around_perform, with perform for its yield.
func AroundPerform(hook func(ctx context.Context, job *Payload, perform func(context.Context) error) error) Middleware {
	if hook == nil {
		return nil
	}
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, job *Payload) error {
			return hook(ctx, job, func(ctx context.Context) error { return next.Perform(ctx, job) })
		})
	}
}

// FailureHook is told that a job failed with err. What it returns is added to
// the failure's text.
//
// Ruby: on_failure.
type FailureHook func(ctx context.Context, job *Payload, err error) error

// OnFailure returns hook as a [Setting].
//
// Ruby: on_failure.
func OnFailure(hook func(ctx context.Context, job *Payload, err error) error) FailureHook {
	return hook
}

// FailureHooks runs what a route has for failures, in order, and returns the
// error to record: err, with what went wrong in a hook. Whoever records a
// failure calls it: a worker for the jobs of its own and for those of children
// and of other workers that died. h is usually a Mux.
//
// Ruby: Resque::Job#run_failure_hooks.
func FailureHooks(ctx context.Context, h Handler, job *Payload, err error) error {
	if inside, unread := Unwrap(h, job); unread == nil {
		job = inside
	}
	for _, hook := range routeOf(h, job.Class).failure {
		if wrong := callHook(ctx, hook, job, err); wrong != nil {
			return &failureHookError{hook: wrong, cause: err}
		}
	}
	return err
}

// routeOf is what h, usually a Mux, has for a class: nothing, where it has no
// routes.
func routeOf(h Handler, class string) Route {
	routes, ok := h.(interface {
		Route(class string) (Route, bool)
	})
	if !ok {
		return Route{}
	}
	route, _ := routes.Route(class)
	return route
}

func callHook(ctx context.Context, hook FailureHook, job *Payload, err error) (wrong error) {
	defer func() {
		if v := recover(); v != nil {
			wrong = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return hook(ctx, job, err)
}

// failureHookError is a job's error and the one of the hook that was told of it.
// It is recorded under the job's.
type failureHookError struct{ hook, cause error }

func (e *failureHookError) Error() string {
	return fmt.Sprintf("%v (and its failure hook went wrong: %v)", e.cause, e.hook)
}

func (e *failureHookError) Unwrap() error { return e.cause }
