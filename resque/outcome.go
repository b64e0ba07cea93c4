package resque

import (
	"context"
	"errors"
	"runtime/debug"
)

// Outcome is how performing a job ended: a word for logs, metrics and traces.
type Outcome string

// The outcomes.
const (
	// Succeeded is a job that was performed.
	Succeeded Outcome = "succeeded"
	// Failed is one that returned an error, panicked, or took too long.
	Failed Outcome = "failed"
	// Dropped is one that ErrDontPerform has kept from being performed.
	Dropped Outcome = "dropped"
	// Cancelled is one that ended because it was told to, by its worker or by
	// whoever called an inline client. A worker that stops puts it back, or
	// records it as a failure: see worker.Config.OnShutdown.
	Cancelled Outcome = "cancelled"
)

// OutcomeOf is how a job ended whose handler was called with ctx and returned err.
// reason is the error that a worker records and logs: the cause of ctx's end where
// the handler returned that ctx has ended, else err.
func OutcomeOf(ctx context.Context, err error) (o Outcome, reason error) {
	defer func() {
		if v := recover(); v != nil { // a method of the error, which is the user's
			o, reason = Failed, &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	var late *TimeoutError
	obeyed := err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err())
	if reason = err; obeyed {
		reason = context.Cause(ctx)
	}
	switch {
	case err == nil:
		return Succeeded, nil
	case errors.Is(err, ErrDontPerform):
		return Dropped, reason
	case errors.As(reason, &late) || errors.Is(reason, context.DeadlineExceeded):
		return Failed, reason
	case obeyed || errors.Is(err, ErrTerm):
		return Cancelled, reason
	default:
		return Failed, reason
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
