package resque

import (
	"cmp"
	"fmt"
	"time"
)

// TimeoutError is why a job that took too long was ended.
type TimeoutError struct {
	Class string
	After time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s: execution expired after %v", e.Class, e.After)
}

// ExceptionName is Ruby's class for this error.
func (e *TimeoutError) ExceptionName() string { return "Timeout::Error" }

// ErrTerm is why a job was ended that was asked to, because its worker stops or
// was told to end it: the cause of its context, and its error where the handler
// returns the context's.
//
// Ruby: Resque::TermException.
var ErrTerm error = termError{}

type termError struct{}

func (termError) Error() string { return "SIGTERM" }

func (termError) ExceptionName() string { return "Resque::TermException" }

// DeadWorkerError is the error of a job whose worker died with it in hand.
//
// Ruby: Resque::PruneDeadWorkerDirtyExit.
type DeadWorkerError struct {
	Worker string
	Class  string // empty where the payload names none
}

func (e *DeadWorkerError) Error() string {
	return fmt.Sprintf("Worker %s did not gracefully exit while processing %s", e.Worker, cmp.Or(e.Class, "<Unknown Job>"))
}

// ExceptionName is Ruby's class for this error.
func (e *DeadWorkerError) ExceptionName() string { return "Resque::PruneDeadWorkerDirtyExit" }

// DirtyExitError is the error of a job that was cut off with its worker.
//
// Ruby: Resque::DirtyExit.
type DirtyExitError struct{ Message string }

func (e *DirtyExitError) Error() string { return e.Message }

// ExceptionName is Ruby's class for this error.
func (e *DirtyExitError) ExceptionName() string { return "Resque::DirtyExit" }
