package resque

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// ErrDontPerform may be returned by a [BeforePerform] hook or by any handler to skip
// the job. The job does not fail. It counts as processed.
//
// Ruby: Resque::Job::DontPerform.
var ErrDontPerform = errors.New("resque: do not perform this job")

// BeforePerform returns middleware that calls hook before each job. If hook returns an
// error, the job is not performed. It fails with that error, unless the error is
// [ErrDontPerform].
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

// AfterPerform returns middleware that calls hook after each job that was performed
// without an error. If hook returns an error, the job fails with it.
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

// AroundPerform returns middleware that calls hook instead of the handler. hook calls
// perform to perform the job. The error that hook returns is the job's error.
//
// Ruby: around_perform, which calls yield instead of perform.
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

// FailureHook is a function that is called when a job has failed with err. If it
// returns an error, that error is added to the failure's text.
//
// Ruby: on_failure.
type FailureHook func(ctx context.Context, job *Payload, err error) error

// OnFailure returns hook as a [Setting], so that a definition calls it when one of its
// jobs fails.
//
// Ruby: on_failure.
func OnFailure(hook func(ctx context.Context, job *Payload, err error) error) FailureHook {
	return hook
}

// FailureHooks calls the failure hooks of job's route in h, which is usually a [Mux],
// in order. It returns the error to record: err or, if a hook returned an error or
// panicked, err with the hook's error added. The hooks after that one are not called.
// Call it before you record a failure. A worker calls it for the jobs that it and its
// child processes perform, and for the jobs of workers that it prunes.
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

// routeOf returns the route that h, which is usually a Mux, has for a class. It returns
// the zero Route if h has no routes or none for the class.
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

// failureHookError is a job's error together with the error of a failure hook. It
// wraps only the job's error, so the failure is recorded with the job's exception.
type failureHookError struct{ hook, cause error }

func (e *failureHookError) Error() string {
	return fmt.Sprintf("%v (its failure hook also failed: %v)", e.cause, e.hook)
}

func (e *failureHookError) Unwrap() error { return e.cause }
