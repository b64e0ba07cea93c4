package resque

import (
	"context"
	"errors"
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
func OutcomeOf(ctx context.Context, err error) Outcome {
	var late *TimeoutError
	switch {
	case err == nil:
		return Succeeded
	case errors.Is(err, ErrDontPerform):
		return Dropped
	case errors.Is(err, ErrTerm):
		return Cancelled
	case ctx.Err() == nil || !errors.Is(err, ctx.Err()):
		return Failed
	case errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.As(context.Cause(ctx), &late):
		return Failed
	default:
		return Cancelled
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
