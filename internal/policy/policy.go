// Package policy is the seam between the settings of a class and the end of its jobs. A
// policy, such as that of package retry, is a setting that decides, together with others,
// what is written to Redis when a job ends. The worker and the prune of dead workers use
// it in the same way. It performs no jobs and does not use Redis: a policy only reads what
// Redis returned and returns effects of package store.
package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// Policy is a setting of a class that takes part in the end of its jobs. It must be safe
// for concurrent use. Its methods may call functions of the user, which may panic: Set
// recovers.
type Policy interface {
	// Place is the policy's place among the policies of a class.
	Place() Place

	// Judge notes in v what the error of a failed job means for further attempts. It is
	// called where the job was performed, which may be a child process. payload is the
	// job as it was in its queue.
	Judge(payload []byte, err error, v *Verdict)

	// End changes e, the end of a job. It is called again if a value in Redis is not the
	// one that e expects.
	End(job *Job, e *Ending)

	// Interrupted reports whether a job that ends because its worker stops goes back to
	// its queue, whatever the worker's configuration says.
	Interrupted() bool
	// String returns the name of the setting, for error messages.
	String() string
}

// Joiner is a policy that a class may have several times. Join returns one policy that
// does what both do. ok is false if the two cannot be joined.
type Joiner interface {
	Join(later Policy) (joined Policy, ok bool)
}

// Place is the place of a policy: policies with a lower one come first. A class has at
// most one policy for each place, but see Joiner.
type Place int

// The places of the policies.
const (
	Retry Place = iota + 1
)

// Set has the policies of a class, sorted by their places. The nil Set has none.
type Set []Policy

// With returns the set with p, or an error if the set has a policy for its place that p
// cannot be joined to.
func (s Set) With(p Policy) (Set, error) {
	at, found := slices.BinarySearchFunc(s, p.Place(), func(q Policy, place Place) int { return cmp.Compare(q.Place(), place) })
	if !found {
		return slices.Insert(slices.Clone(s), at, p), nil
	}
	if first, ok := s[at].(Joiner); ok {
		if joined, ok := first.Join(p); ok {
			s = slices.Clone(s)
			s[at] = joined
			return s, nil
		}
	}
	if first, second := fmt.Sprint(s[at]), fmt.Sprint(p); first != second {
		return s, fmt.Errorf("%s and %s cannot be combined", first, second)
	}
	return s, fmt.Errorf("%s given twice", p)
}

// Verdict is what the error of a failed job means for further attempts. A child process
// reports it to its worker.
type Verdict struct {
	Final  bool           `json:",omitempty"` // the job must not be performed again
	Snooze bool           `json:",omitempty"` // the job has not failed and is performed again after Wait
	Wait   *time.Duration `json:",omitempty"` // until the next attempt; nil if the policy decides

	// Handled means that a policy deals with the error: the job has not failed. No hooks
	// are called, and only the job is counted, not a failure.
	Handled bool `json:",omitempty"`
	// Rule is the number of the rule that applies, from 1, if the policy has rules; 0 if
	// none does.
	Rule int `json:",omitempty"`
}

// Judge returns the verdict on a job that failed with err. v is that of err itself: see
// the errors of package resque.
func (s Set) Judge(payload []byte, err error, v Verdict) (_ Verdict, wrong error) {
	for _, p := range s {
		given := v
		if wrong = recovered(func() { p.Judge(payload, err, &v) }); wrong != nil {
			return given, wrong
		}
	}
	return v, nil
}

// Interrupted reports whether a job that ends because its worker stops goes back to its
// queue.
func (s Set) Interrupted() bool { return slices.ContainsFunc(s, Policy.Interrupted) }

// Job is a job that has ended.
type Job struct {
	Class   string // of the inner job, if it is wrapped
	Queue   string
	Args    []json.RawMessage
	Payload []byte // as it was in the queue
	Given   any    // the *resque.Payload, for functions of the user

	// Counted means that the worker counted the attempt when it began: it was Ruby's.
	Counted bool

	Store *store.Store
	Now   func() time.Time // on Redis's clock

	seen map[string]store.Value
}

// Seen returns the value that Redis has returned for an expected key. ok is false if the
// key was not expected before.
func (j *Job) Seen(key string) (v store.Value, ok bool) {
	v, ok = j.seen[key]
	return v, ok
}

// Note notes the values of expectations that were not met, for Seen.
func (j *Job) Note(expected []store.Expectation, values []store.Value) {
	if j.seen == nil {
		j.seen = map[string]store.Value{}
	}
	for i := range min(len(expected), len(values)) {
		j.seen[expected[i].Key] = values[i]
	}
}

// Ending is the end of a job. Policies change what happens then.
type Ending struct {
	Err     error         // why the job failed; nil if it succeeded
	Verdict Verdict       // on Err
	Failure func() []byte // returns the record of the failure

	Fail    bool   // the failure is recorded in the failure lists and given to failure backends
	Again   *Again // the job is performed again; nil if it is not
	Expect  []store.Expectation
	Effects []store.Effect
	Notes   []any // attributes for the log

	// Before is called before anything is written, and After when it is written. They
	// may be nil, and may panic: use Call.
	Before, After func(context.Context)
}

// Call calls fn, which is Before or After of an ending, unless it is nil. It returns a
// panic as an error.
func Call(ctx context.Context, fn func(context.Context)) error {
	if fn == nil {
		return nil
	}
	return recovered(func() { fn(ctx) })
}

// Again is a further attempt of a job.
type Again struct {
	Queue   string
	Payload []byte
	Due     time.Time // on Redis's clock; zero if at once
}

// Failed reports whether the job has failed, be it performed again or not.
func (e *Ending) Failed() bool { return e.Err != nil && !e.Verdict.Snooze && !e.Verdict.Handled }

// End returns the end of a job, which failed with err unless err is nil. wrong is the
// panic of a policy: its changes are then incomplete, and the job fails.
func (s Set) End(job *Job, err error, v Verdict, failure func() []byte) (e Ending, wrong error) {
	e = Ending{Err: err, Verdict: v, Failure: failure, Fail: err != nil}
	if err != nil && v.Snooze {
		e.Fail = false
		e.Again = job.Again(job.Queue, job.Payload, *v.Wait)
		return e, nil
	}
	for _, p := range s {
		if wrong = recovered(func() { p.End(job, &e) }); wrong != nil {
			v.Handled = false
			return Ending{Err: err, Verdict: v, Failure: failure, Fail: err != nil}, wrong
		}
	}
	return e, nil
}

// Again returns an attempt after a time. It is due at once if wait is not more than 0, or
// ends within the current second of Redis's clock, as in Ruby.
func (j *Job) Again(queue string, payload []byte, wait time.Duration) *Again {
	a := &Again{Queue: queue, Payload: payload}
	if wait > 0 {
		a.Due = DueAfter(j.Now(), wait)
	}
	return a
}

// DueAfter returns the second in which a wait that begins now ends, or the zero time if
// it has begun.
func DueAfter(now time.Time, wait time.Duration) time.Time {
	if due := now.Add(wait).Truncate(time.Second); due.After(now) {
		return due
	}
	return time.Time{}
}

// Lists are the failure lists to which failures are written.
type Lists struct{ Together, ByQueue bool }

// Written returns what is written to Redis for e, without counters.
func (e *Ending) Written(to *store.Store, queue string, lists Lists) []store.Effect {
	effects := e.Effects
	if e.Again != nil {
		effects = append(effects, to.Later(e.Again.Due, e.Again.Queue, e.Again.Payload)...)
	}
	if e.Fail {
		effects = append(effects, to.RecordFailure(queue, e.Failure(), lists.Together, lists.ByQueue)...)
	}
	return effects
}

// PanicError is the error of a policy that panicked, because a function of the user did.
type PanicError struct{ Value any }

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

func recovered(fn func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{v}
		}
	}()
	fn()
	return nil
}
