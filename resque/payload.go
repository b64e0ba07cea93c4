package resque

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"

	"github.com/goresque/goresque/internal/rubyjson"
)

// Payload is a job as it is stored: in a queue, in the record of the worker that
// performs it, or in the list of failures. Handlers must not change it.
type Payload struct {
	Class  string
	Queue  string
	Worker string // the worker's id; empty in inline mode

	// Args are the arguments as they stand in the payload. Bind turns them
	// into Go values.
	Args []json.RawMessage

	// Raw is what stood in the queue, byte for byte, with whatever keys
	// others have added.
	Raw []byte
}

// ParsePayload reads a payload that came from queue. The error says why the
// payload is no job: not JSON, or not an object with a class.
//
// Ruby: Resque.decode and Resque::Job.new.
func ParsePayload(queue string, payload []byte) (*Payload, error) {
	p, err := rubyjson.ParsePayload(payload)
	if err != nil {
		return nil, &UnreadableError{Queue: queue, Payload: payload, Err: err}
	}
	return &Payload{Class: p.Class, Queue: queue, Args: p.Args, Raw: payload}, nil
}

// UnreadableError reports a payload that is not JSON, or not an object with a
// class. Its job goes to the failures with the raw text kept.
type UnreadableError struct {
	Queue   string
	Payload []byte // as it was in the queue
	Err     error
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("unreadable payload in queue %q: %v", e.Queue, e.Err)
}

// Unwrap returns what is wrong with the payload.
func (e *UnreadableError) Unwrap() error { return e.Err }

// ExceptionName is Ruby's class for this error.
func (e *UnreadableError) ExceptionName() string { return "Resque::Helpers::DecodeException" }

type payloadKey struct{}

// FromContext returns the job that ctx is the context of: for handlers of a
// definition, which get only the arguments. ok is false outside a job.
func FromContext(ctx context.Context) (job *Payload, ok bool) {
	job, ok = ctx.Value(payloadKey{}).(*Payload)
	return job, ok
}

// WithPayload returns a context whose FromContext is job. Workers call it.
func WithPayload(ctx context.Context, job *Payload) context.Context {
	return context.WithValue(ctx, payloadKey{}, job)
}

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
func Perform(ctx context.Context, h Handler, job *Payload) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if job, err = Unwrap(h, job); err != nil {
		return err
	}
	return h.Perform(WithPayload(ctx, job), job)
}
