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

// Failure is a record in the list of failures, as Ruby's front end renders it.
//
// Ruby: Resque::Failure::Redis#save.
type Failure struct {
	FailedAt  time.Time
	Payload   json.RawMessage // as it was in the queue
	Exception string          // a class, as Ruby has them
	Error     string
	Backtrace []string
	Worker    string
	Queue     string

	// Err is what Exception, Error and Backtrace were made of, for backends that
	// want to know more. It is not recorded; of a job that a child performed it is
	// only what the child has told.
	Err error
}

// NewFailure describes how job failed with err. Its exception is what err, or an
// error that it wraps, says by a method ExceptionName() string, which should be a
// Ruby class; else PanicError for a panic, or the Go type of the innermost error.
// Its backtrace is what a method Backtrace() []string says, or the frames of a
// panic; other errors have none. Where the payload is not JSON, the record holds
// it as the argument of class "<unreadable>", so that the list stays readable and
// nothing is lost.
func NewFailure(job *Payload, err error, at time.Time) Failure {
	f := Failure{
		FailedAt:  at,
		Payload:   job.Raw,
		Exception: guarded(func() string { return exceptionName(err) }, typeName(err)),
		Error:     guarded(err.Error, "an error that cannot be read"),
		Backtrace: guarded(func() []string { return backtrace(err) }, []string{}),
		Worker:    job.Worker,
		Queue:     job.Queue,
		Err:       err,
	}
	if !readable(job.Raw) {
		f.Payload = wire.UnreadablePayload(job.Raw)
	}
	return f
}

// AppendJSON appends the record in Ruby's spelling and order of keys. The
// payload is spliced in as it is.
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

// appendText appends s as a JSON string, whatever it holds: a failure must not
// get lost over the text of its error.
func appendText(dst []byte, s string) []byte {
	dst, _ = rubyjson.AppendString(dst, strings.ToValidUTF8(s, "\uFFFD")) // fails on nothing else
	return dst
}

// guarded is what fn says, or otherwise where it panics: a nil pointer returned
// as an error, the classic mistake, must not end the worker.
func guarded[T any](fn func() T, otherwise T) (said T) {
	defer func() {
		if recover() != nil {
			said = otherwise
		}
	}()
	return fn()
}

// readable tells whether Ruby's front end can show the payload: it must be an
// object, with or without a class, and one level of nesting is the record's.
func readable(payload []byte) bool {
	if _, err := rubyjson.ParsePayload(payload); err != nil && !errors.Is(err, rubyjson.ErrNoClass) {
		return false
	}
	return rubyjson.Valid(slices.Concat([]byte("["), payload, []byte("]"))) == nil
}

// exceptionName is the class a failure is recorded under: what the error, or
// one it wraps, says of itself, else the Go type of the innermost error.
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

// backtrace has a panic's frames in Ruby's form, or those that the error has of
// itself; others carry none. It is never nil: Ruby's front end joins it.
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

// FailureLists says in which lists of Redis a worker records failures. The
// values can be combined.
type FailureLists uint8

// Where failures are recorded.
const (
	// FailuresTogether is FailedList for all of them.
	//
	// Ruby: Resque::Failure::Redis.
	FailuresTogether FailureLists = 1 << iota
	// FailuresByQueue is FailedListOf the queue that the job was on.
	//
	// Ruby: Resque::Failure::RedisMultiQueue.
	FailuresByQueue
	// FailuresNowhere is by itself: for those whose FailureBackends are all that
	// they want. Nothing can be requeued then.
	FailuresNowhere
)

// Has reports whether l includes list.
func (l FailureLists) Has(list FailureLists) bool { return l&list != 0 }

// FailureBackend is told of failures, outside Redis: by a post to a webhook or a
// line in an error tracker. A worker has any number of them, beside its
// FailureLists.
//
// Ruby: Resque::Failure::Base, and Resque::Failure::Multiple for several.
type FailureBackend interface {
	// Save is called for each failure before it is recorded in Redis, by many
	// goroutines at once, and again for the same one where recording was cut
	// off: at least once, that is. It must return when ctx ends, which is after
	// some seconds. Its error is logged, and keeps nothing from going on.
	//
	// Ruby: Resque::Failure::Base#save.
	Save(ctx context.Context, failure Failure) error
}

// FailureBackendFunc is a function as a FailureBackend.
type FailureBackendFunc func(ctx context.Context, failure Failure) error

var _ FailureBackend = FailureBackendFunc(nil)

// Save calls f.
func (f FailureBackendFunc) Save(ctx context.Context, failure Failure) error { return f(ctx, failure) }
