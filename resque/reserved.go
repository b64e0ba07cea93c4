package resque

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/goresque/goresque/internal/rubyjson"
)

// Reserved is a job that a worker has taken from a queue and now performs.
// Handlers must not change it.
type Reserved struct {
	Class  string
	Queue  string
	Worker string // the worker's id; empty in inline mode

	// Args are the arguments as they stand in the payload. Bind turns them
	// into Go values.
	Args []json.RawMessage

	// Payload is what stood in the queue, byte for byte, with whatever keys
	// others have added.
	Payload []byte
}

// ParseReserved reads a payload that came from queue. The error says why the
// payload is no job: not JSON, or not an object with a class.
//
// Ruby: Resque.decode and Resque::Job.new.
func ParseReserved(queue string, payload []byte) (*Reserved, error) {
	p, err := rubyjson.ParsePayload(payload)
	if err != nil {
		return nil, &UnreadableError{Queue: queue, Payload: payload, Err: err}
	}
	return &Reserved{Class: p.Class, Queue: queue, Args: p.Args, Payload: payload}, nil
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

type reservedKey struct{}

// FromContext returns the job that ctx is the context of: for handlers of a
// definition, which get only the arguments. ok is false outside a job.
func FromContext(ctx context.Context) (job *Reserved, ok bool) {
	job, ok = ctx.Value(reservedKey{}).(*Reserved)
	return job, ok
}

// WithReserved returns a context whose FromContext is job. Workers call it.
func WithReserved(ctx context.Context, job *Reserved) context.Context {
	return context.WithValue(ctx, reservedKey{}, job)
}
