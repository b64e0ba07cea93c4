package resque

import (
	"context"
	"fmt"
	"runtime/debug"
)

// PanicError is a panic of a handler, as an error.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value the handler panicked with, where it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Perform performs job by h in this goroutine and returns what came of it: a
// panic as a *PanicError. FromContext finds the job in the handler's context. A
// job inside another is found first (see Wrapper).
//
// Ruby: Resque::Job#perform.
func Perform(ctx context.Context, h Handler, job *Reserved) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if job, err = Unwrap(h, job); err != nil {
		return err
	}
	return h.Perform(WithReserved(ctx, job), job)
}
