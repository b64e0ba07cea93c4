package resque

import (
	"context"
	"errors"
	"runtime/debug"
)

// Result is how performing a job ended: a word for logs, metrics and traces.
type Result string

// The results.
const (
	// ResultSucceeded is a job that was performed.
	ResultSucceeded Result = "succeeded"
	// ResultFailed is one that returned an error, panicked, or took too long.
	ResultFailed Result = "failed"
	// ResultDropped is one that ErrDontPerform has kept from being performed.
	ResultDropped Result = "dropped"
	// ResultCancelled is one that ended because it was told to, by its worker or by
	// whoever called an inline client. A worker that stops puts it back, or
	// records it as a failure: see worker.Config.OnShutdown.
	ResultCancelled Result = "cancelled"
)

// ResultOf is how a job ended whose handler was called with ctx and returned err.
// reason is the error that a worker records and logs: the cause of ctx's end where
// the handler returned that ctx has ended, else err.
func ResultOf(ctx context.Context, err error) (result Result, reason error) {
	defer func() {
		if v := recover(); v != nil { // a method of the error, which is the user's
			result, reason = ResultFailed, &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	var late *TimeoutError
	obeyed := err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err())
	if reason = err; obeyed {
		reason = context.Cause(ctx)
	}
	switch {
	case err == nil:
		return ResultSucceeded, nil
	case errors.Is(err, ErrDontPerform):
		return ResultDropped, reason
	case errors.As(reason, &late) || errors.Is(reason, context.DeadlineExceeded):
		return ResultFailed, reason
	case obeyed || errors.Is(err, ErrTerm):
		return ResultCancelled, reason
	default:
		return ResultFailed, reason
	}
}

// ExceptionName is the class under which a failure with err is recorded, for the
// logs, metrics and traces that name it, too. See NewFailure. It is empty for nil.
func ExceptionName(err error) string {
	if err == nil {
		return ""
	}
	return guarded(func() string { return exceptionName(err) }, typeName(err))
}
