package resque

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/rubyjson"
)

// Payload is a job as it is stored in a queue, in the record of the worker that
// performs it, or in the list of failures. Handlers must not modify it.
type Payload struct {
	Class  string
	Queue  string
	Worker string // the worker's id; empty in inline mode

	// Args are the arguments as JSON. [Payload.Bind] decodes them.
	Args []json.RawMessage

	// Raw is the JSON object as it was stored, byte for byte, with all members that
	// other programs have added.
	Raw []byte
}

// ParsePayload parses a payload from queue. It returns an [*UnreadableError] if the
// payload is not JSON, or not an object with a class. The result refers to payload.
//
// Ruby: Resque.decode and Resque::Job.new.
func ParsePayload(queue string, payload []byte) (*Payload, error) {
	one := &struct { // one allocation, because a worker parses many payloads
		Payload
		args [2]json.RawMessage // enough for most jobs
	}{}
	p, err := rubyjson.ParsePayloadWith(one.args[:0], payload)
	if err != nil {
		return nil, &UnreadableError{Queue: queue, Payload: payload, Err: err}
	}
	one.Payload = Payload{Class: p.Class, Queue: queue, Args: p.Args, Raw: payload}
	return &one.Payload, nil
}

// Job returns a job to enqueue with the queue, the class, the arguments and the other
// members of the payload. Their JSON is copied as it is. It returns an error if the payload
// is not valid.
func (p *Payload) Job() (Job, error) {
	all, ok := rubyjson.Members(p.Raw)
	if !ok {
		_, err := rubyjson.ParsePayload(p.Raw)
		return Job{}, &UnreadableError{Queue: p.Queue, Payload: p.Raw, Err: err}
	}
	job := Job{Queue: p.Queue, Class: p.Class, Args: make([]any, len(p.Args))}
	for i, arg := range p.Args {
		job.Args[i] = arg
	}
	for _, m := range all {
		if m.Name != "class" && m.Name != "args" {
			job = job.WithMember(m.Name, m.Value(p.Raw))
		}
	}
	return job, nil
}

// UnreadableError reports a payload that is not JSON, or not an object with a class. A
// worker records such a job as a failure and keeps its raw text.
type UnreadableError struct {
	Queue   string
	Payload []byte // as it was in the queue
	Err     error
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("unreadable payload in queue %q: %v", e.Queue, e.Err)
}

// Unwrap returns the reason why the payload cannot be parsed.
func (e *UnreadableError) Unwrap() error { return e.Err }

// ExceptionName returns the class of this error in Ruby.
func (e *UnreadableError) ExceptionName() string { return "Resque::Helpers::DecodeException" }

// FromContext returns the job that is performed with ctx. Handlers of a definition,
// which get only the arguments, use it. ok is false if ctx does not belong to a job.
func FromContext(ctx context.Context) (job *Payload, ok bool) {
	job, ok = ctx.Value(policy.JobKey{}).(*Payload)
	return job, ok
}

// WithPayload returns a copy of ctx for which [FromContext] returns job. Workers call
// it.
func WithPayload(ctx context.Context, job *Payload) context.Context {
	return context.WithValue(ctx, policy.JobKey{}, job)
}

// PanicError is the error of a job whose handler panicked.
type PanicError struct {
	Value any    // the value passed to panic
	Stack []byte // as formatted by runtime/debug.Stack
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns e.Value if it is an error, and nil otherwise.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Perform performs job with h in the calling goroutine and returns the handler's
// error, or a [*PanicError] if the handler panics. If the class of job is a [Wrapper],
// Perform performs the job inside it. The handler gets a context for which
// [FromContext] returns the job.
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
	if given, ok := FromContext(ctx); !ok || given != job {
		ctx = WithPayload(ctx, job)
	}
	return h.Perform(ctx, job)
}
