package resque

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// TimeoutError is the error of a job that took longer than its time limit, and the
// cause with which its context ends.
type TimeoutError struct {
	Class string
	After time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s: execution expired after %v", e.Class, e.After)
}

// ExceptionName returns the class of this error in Ruby.
func (e *TimeoutError) ExceptionName() string { return "Timeout::Error" }

// ErrTerm is the cause with which a job's context ends when its worker stops or is
// told to cancel the job. It is also the job's error if the handler returns the error
// of its context.
//
// Ruby: Resque::TermException.
var ErrTerm error = termError{}

type termError struct{}

func (termError) Error() string { return "SIGTERM" }

func (termError) ExceptionName() string { return "Resque::TermException" }

// ErrCanceled is the cause with which a job's context ends when a person or a program has
// canceled the job: see [Client.CancelRunning]. If the handler returns the error of its
// context, the job fails with ErrCanceled, whatever attempts are left. A handler that
// returns nil has succeeded.
var ErrCanceled error = canceledError{}

type canceledError struct{}

func (canceledError) Error() string { return "the job was canceled" }

func (canceledError) ExceptionName() string { return "Resque::JobCanceled" }

// ErrKilled is the cause with which the context of a job with a status ends when the job
// was killed: see package status. If the handler returns the error of its context, the job
// has been killed and has not failed.
//
// Ruby: Resque::Plugins::Status::Killed.
var ErrKilled error = killedError{}

type killedError struct{}

func (killedError) Error() string { return "the job was killed" }

func (killedError) ExceptionName() string { return "Resque::Plugins::Status::Killed" }

// ErrLost is the cause with which a job's context ends when its record in Redis is gone:
// another process took the worker for dead, or a person removed it, and that process has
// dealt with the job. The job may already run again. What the handler returns is not
// recorded. errors.Is(ErrLost, ErrTerm) is true.
var ErrLost error = lostError{}

type lostError struct{}

func (lostError) Error() string { return "resque: the job's record is gone: its worker was pruned" }

func (lostError) Is(target error) bool { return target == ErrTerm }

func (lostError) ExceptionName() string { return "Resque::TermException" }

// DeadWorkerError is the error of a job that was running when its worker died. It is
// recorded when the worker is pruned.
//
// Ruby: Resque::PruneDeadWorkerDirtyExit.
type DeadWorkerError struct {
	Worker string
	Class  string // empty if the payload does not contain one
}

func (e *DeadWorkerError) Error() string {
	return fmt.Sprintf("Worker %s did not gracefully exit while processing %s", e.Worker, cmp.Or(e.Class, "<Unknown Job>"))
}

// ExceptionName returns the class of this error in Ruby.
func (e *DeadWorkerError) ExceptionName() string { return "Resque::PruneDeadWorkerDirtyExit" }

// DirtyExitError is the error of a job that did not finish because the process that
// performed it ended.
//
// Ruby: Resque::DirtyExit.
type DirtyExitError struct{ Message string }

func (e *DirtyExitError) Error() string { return e.Message }

// ExceptionName returns the class of this error in Ruby.
func (e *DirtyExitError) ExceptionName() string { return "Resque::DirtyExit" }

// unprefixed is an error whose text has no "resque: ", for the text of another error
// that begins with it.
type unprefixed struct{ err error }

func (u unprefixed) Error() string { return strings.TrimPrefix(u.err.Error(), "resque: ") }

func (u unprefixed) Unwrap() error { return u.err }
