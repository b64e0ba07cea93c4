package resque

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/wire"
)

// Failure is a record in a list of failures. Ruby's front end can show it.
//
// Ruby: Resque::Failure::Redis#save.
type Failure struct {
	FailedAt  time.Time
	Payload   json.RawMessage // as it was in the queue
	Exception string          // the name of an exception class, as in Ruby
	Error     string
	Backtrace []string
	Worker    string
	Queue     string

	// Class and Args are those of the job that was performed, for a Rails job those of
	// the job inside. They are empty if the payload is not a job. They are for failure
	// backends; Redis has them in Payload.
	Class string
	Args  []json.RawMessage

	// Err is the error from which Exception, Error and Backtrace were made. It is
	// for failure backends and is not recorded in Redis. If a child process
	// performed the job, Err holds only what the child process reported.
	Err error
}

// NewFailure returns the failure of job with err.
//
// Exception is the result of the method ExceptionName() string of err or of an
// error that it wraps; the method should return the name of a Ruby class. Without
// that method, Exception is PanicError for a panic, and otherwise the Go type of
// the innermost error. Backtrace is the result of the method Backtrace() []string,
// or the stack of a panic; for other errors it is empty. If the payload is not
// JSON, the record holds it as the argument of class "<unreadable>", so that the
// list stays readable and the payload is not lost.
func NewFailure(job *Payload, err error, at time.Time) Failure {
	f := Failure{
		FailedAt:  at,
		Payload:   job.Raw,
		Exception: guarded(func() string { return exceptionName(err) }, typeName(err)),
		Error:     guarded(err.Error, "an error that cannot be read"),
		Backtrace: guarded(func() []string { return backtrace(err) }, []string{}),
		Worker:    job.Worker,
		Queue:     job.Queue,
		Class:     job.Class,
		Args:      job.Args,
		Err:       err,
	}
	if !readable(job.Raw) {
		f.Payload = wire.UnreadablePayload(job.Raw)
	}
	return f
}

// AppendJSON appends the record to dst, with the keys in Ruby's order and the
// texts escaped as Ruby does. It copies the payload unchanged.
func (f Failure) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"failed_at":"`...)
	dst = append(dst, wire.FormatFailedAt(f.FailedAt)...)
	dst = append(dst, `","payload":`...)
	dst = append(dst, f.Payload...)
	dst = appendText(append(dst, `,"exception":`...), f.Exception)
	dst = appendText(append(dst, `,"error":`...), f.Error)
	dst = append(dst, `,"backtrace":[`...)
	for i, frame := range f.Backtrace {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(dst, frame)
	}
	dst = appendText(append(dst, `],"worker":`...), f.Worker)
	dst = appendText(append(dst, `,"queue":`...), f.Queue)
	return append(dst, '}')
}

// appendText appends s as a JSON string. Invalid UTF-8 is replaced, because the
// text of an error must not cause a failure to be lost.
func appendText(dst []byte, s string) []byte {
	dst, _ = rubyjson.AppendString(dst, strings.ToValidUTF8(s, "\uFFFD")) // fails only on invalid UTF-8
	return dst
}

// guarded returns the result of fn, or otherwise if fn panics. A nil pointer
// returned as an error is a common mistake and must not crash the worker.
func guarded[T any](fn func() T, otherwise T) (result T) {
	defer func() {
		if recover() != nil {
			result = otherwise
		}
	}()
	return fn()
}

// readable reports whether Ruby's front end can show the payload. The payload must
// be an object, with or without a class, and may not use the deepest allowed level
// of nesting, because the record adds one.
func readable(payload []byte) bool {
	if _, err := rubyjson.ParsePayload(payload); err != nil && !errors.Is(err, rubyjson.ErrNoClass) {
		return false
	}
	return rubyjson.Valid(slices.Concat([]byte("["), payload, []byte("]"))) == nil
}

// exceptionName returns the name under which a failure is recorded: that of err or
// of an error that it wraps, otherwise the Go type of the innermost error.
func exceptionName(err error) string {
	var named interface{ ExceptionName() string }
	if errors.As(err, &named) {
		if name := named.ExceptionName(); name != "" {
			return name
		}
	}
	var panicked *PanicError
	if errors.As(err, &panicked) {
		return "PanicError"
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			break
		}
		err = inner
	}
	return typeName(err)
}

func typeName(err error) string { return strings.TrimLeft(reflect.TypeOf(err).String(), "*") }

// backtrace returns the error's own backtrace, or the stack of a panic in Ruby's
// format, and otherwise an empty slice. The result is never nil, because Ruby's
// front end joins it.
func backtrace(err error) []string {
	var traced interface{ Backtrace() []string }
	if errors.As(err, &traced) {
		return append([]string{}, traced.Backtrace()...)
	}
	var panicked *PanicError
	if errors.As(err, &panicked) {
		return rubyFrames(panicked.Stack)
	}
	return []string{}
}

// FailureLists selects the lists in Redis to which a worker writes failures. The
// values can be combined with |.
type FailureLists uint8

// The lists to which failures are written.
const (
	// FailuresTogether writes all failures to FailedList.
	//
	// Ruby: Resque::Failure::Redis.
	FailuresTogether FailureLists = 1 << iota
	// FailuresByQueue writes a failure to the list of the job's queue: see
	// [FailedListOf].
	//
	// Ruby: Resque::Failure::RedisMultiQueue.
	FailuresByQueue
	// FailuresNowhere writes failures to no list, for programs that use only a
	// FailureBackend. Failures cannot be requeued then. It cannot be combined with
	// the other values.
	FailuresNowhere
)

// Has reports whether l includes list.
func (l FailureLists) Has(list FailureLists) bool { return l&list != 0 }

// FailureBackend is a receiver of failures outside Redis, such as a webhook or an
// error tracker. A worker can have any number of them in addition to its
// FailureLists.
//
// Ruby: Resque::Failure::Base, and Resque::Failure::Multiple for several.
type FailureBackend interface {
	// Save is called for each failure before the failure is written to Redis. It is
	// called at least once: again for the same failure if writing was interrupted.
	// It must be safe for concurrent use, and return when ctx ends, which is after a
	// few seconds. Its error is logged and otherwise ignored.
	//
	// Ruby: Resque::Failure::Base#save.
	Save(ctx context.Context, failure Failure) error
}

// FailureBackendFunc is an adapter that allows a function to be used as a
// FailureBackend.
type FailureBackendFunc func(ctx context.Context, failure Failure) error

var _ FailureBackend = FailureBackendFunc(nil)

// Save calls f.
func (f FailureBackendFunc) Save(ctx context.Context, failure Failure) error { return f(ctx, failure) }
