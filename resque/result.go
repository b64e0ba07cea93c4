package resque

import (
	"context"
	"errors"
	"runtime/debug"
)

// Result is the result of performing a job, as a word for logs, metrics and traces.
type Result string

// Results of performing a job.
const (
	// ResultSucceeded means that the handler returned without an error.
	ResultSucceeded Result = "succeeded"
	// ResultFailed means that the job returned an error, panicked or took too long.
	ResultFailed Result = "failed"
	// ResultDropped means that a hook or the handler returned [ErrDontPerform].
	ResultDropped Result = "dropped"
	// ResultSnoozed means that the handler returned [Snooze]: the job is performed again.
	ResultSnoozed Result = "snoozed"
	// ResultCanceled means that the job ended because its worker or the caller of an
	// inline client canceled it, or that it stopped before its end because its worker
	// stops, as jobs of package resume and of Rails' Continuable do. A worker that stops
	// puts the job back or records it as a failure: see worker.Config.OnShutdown.
	ResultCanceled Result = "canceled"
)

// ResultOf returns the result of a job whose handler was called with ctx and returned
// err. reason is the error that a worker records and logs. It is the cause of ctx if
// ctx has ended and err wraps the error of ctx, and err otherwise.
func ResultOf(ctx context.Context, err error) (result Result, reason error) {
	defer func() {
		if v := recover(); v != nil { // methods of err are the user's code and may panic
			result, reason = ResultFailed, &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	var late *TimeoutError
	ended := err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err())
	if reason = err; ended {
		reason = context.Cause(ctx)
	}
	switch {
	case err == nil:
		return ResultSucceeded, nil
	case errors.Is(err, ErrDontPerform):
		return ResultDropped, reason
	case verdictOf(err).Snooze:
		return ResultSnoozed, reason
	case errors.As(reason, &late) || errors.Is(reason, context.DeadlineExceeded):
		return ResultFailed, reason
	case ended || errors.Is(err, ErrTerm) || verdictOf(err).Return || isInterrupted(err):
		return ResultCanceled, reason
	default:
		return ResultFailed, reason
	}
}

// isInterrupted reports whether the job was interrupted by the stop of its worker and
// continues later.
func isInterrupted(err error) bool {
	var i interface{ Interrupted() bool }
	return errors.As(err, &i) && i.Interrupted()
}

// ExceptionName returns the exception class that a failure with err is recorded with:
// see [NewFailure]. Logs, metrics and traces can use the same name. It returns "" if err
// is nil.
func ExceptionName(err error) string {
	if err == nil {
		return ""
	}
	return guarded(func() string { return exceptionName(err) }, typeName(err))
}
