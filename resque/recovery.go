package resque

import (
	"context"
	"errors"
	"runtime/debug"
)

// errGoexit is what middleware is told of a handler that ended its goroutine, as
// t.FailNow does, instead of returning.
var errGoexit = errors.New("the handler called runtime.Goexit")

// RecoverPerform is middleware that returns a panic as a *PanicError. Perform does
// so anyway, and so do workers and inline clients: this is for middleware outside
// of it that is to see an error where otherwise the panic would pass it by.
func RecoverPerform(next Handler) Handler {
	return HandlerFunc(func(ctx context.Context, job *Reserved) (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
		}()
		return next.Perform(ctx, job)
	})
}

// RecoverEnqueue is middleware that returns a panic as a *PanicError: of what
// spells an argument, or of middleware inside of it. Without it the panic is the
// caller's of Enqueue. The job is then not queued, unless the middleware panicked
// after it was.
func RecoverEnqueue(next EnqueueFunc) EnqueueFunc {
	return func(ctx context.Context, job Job) (queued bool, err error) {
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
		}()
		return next(ctx, job)
	}
}
