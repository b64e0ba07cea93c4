// Package policy is the seam between the settings of a class and the life of its jobs. A
// policy, such as that of package retry, is a setting that decides, together with others,
// what is written to Redis when a job ends. The worker and the prune of dead workers use
// it in the same way. It performs no jobs and does not use Redis: a policy only reads what
// Redis returned and returns effects of package store.
//
// A policy that must read or take something in Redis before a job is performed, such as a
// lock, is also an [Admitter]:
//
//   - Admit returns what the job needs. The worker asks Redis for it between reserve and
//     perform, in one script for all jobs that wait at that moment. The script gives
//     nothing to a job whose record is no longer its worker's.
//   - If all needs are met, the job is performed. If one is refused, the needs after it
//     are skipped, the job is not performed, and End gets the kind Refused. The job is
//     dropped unless the policy sets Ending.Again. It is not counted unless the policy
//     sets Ending.Counted.
//   - End gets, by [Job.Got], what the needs were given, and returns effects that release
//     it. End is called however the job ends, also if it goes back to its queue
//     (Returned). If a worker dies or is stopped, it may not be known what was taken:
//     Got returns nil. So take with [Job.Token] as the value, which is the same for the
//     worker and for a process that prunes it, and release with an effect that compares
//     it, such as store.Release. A record is removed together with its effects, so nothing
//     can be taken for a job after its end.
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
	// called in the process that performed the job, which may be a child process. payload is the
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

// Admitter is a policy whose jobs need something in Redis before they are performed.
// Classes without an Admitter need no call to Redis for it.
type Admitter interface {
	Policy

	// Admit returns what a reserved job needs. It is called again when the worker of the
	// job is pruned. Then nothing is taken: Job.Got says what there is.
	Admit(job *Job) []store.Need
}

// Counting is a policy that counts the attempts of a job.
type Counting interface {
	// Counter returns the keys of the attempts of a job. ok is false if the payload has
	// their number.
	Counter(job *Job) (keys store.RetryKeys, ok bool)
	// Attempts returns how many attempts there may be: -1 if there is no limit, and 0 if
	// it depends on the error.
	Attempts(payload []byte) int64
}

// Killable is a policy whose jobs can be killed by an id. The worker looks for the id in the
// set of jobs to kill while the job runs, and ends its context with resque.ErrKilled.
type Killable interface {
	Policy

	KillID(job *Job) string
}

// KillID returns the id by which a job can be killed, or an empty string.
func (s Set) KillID(job *Job) (id string) {
	for _, p := range s {
		if k, ok := p.(Killable); ok {
			_ = recovered(func() { id = k.KillID(job) }) // Admit reports the panic
		}
	}
	return id
}

// Place is the place of a policy: policies with a lower one come first. A class has at
// most one policy for each place, but see Joiner.
type Place int

// The places of the policies.
const (
	Status Place = iota + 1
	Batch
	Resume
	Retry
	Limit
	Unique
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

// Has reports whether the set has a policy for a place.
func (s Set) Has(place Place) bool {
	return slices.ContainsFunc(s, func(p Policy) bool { return p.Place() == place })
}

// Verdict is what the error of a failed job means for further attempts. A child process
// reports it to its worker.
type Verdict struct {
	Final  bool           `json:",omitempty"` // the job must not be performed again
	Snooze bool           `json:",omitempty"` // the job has not failed and is performed again after Wait
	Wait   *time.Duration `json:",omitempty"` // until the next attempt; nil if the policy decides

	// Pause means that the limit by key of the job starts no jobs for Wait.
	Pause bool `json:",omitempty"`

	// Return means that the job has not failed and goes back to the front of its queue, as
	// one that was not begun.
	Return bool `json:",omitempty"`

	// Handled means that a policy deals with the error: the job has not failed. No hooks
	// are called, and only the job is counted, not a failure.
	Handled bool `json:",omitempty"`
	// Killed means that the job has ended because it was killed: see resque.ErrKilled.
	// It is then also Handled.
	Killed bool `json:",omitempty"`
	// Rule is the number of the rule that applies, from 1, if the policy has rules; 0 if
	// none does.
	Rule int `json:",omitempty"`

	// Progress is what a policy notes in Judge about the progress of the job, for its method
	// End.
	Progress json.RawMessage `json:",omitempty"`
	// Interrupted means that the job has saved its progress in Progress because the worker
	// stops. It is then also Handled.
	Interrupted bool `json:",omitempty"`
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

// Counting returns the policy that counts attempts. ok is false if there is none.
func (s Set) Counting() (c Counting, ok bool) {
	for _, p := range s {
		if c, ok = p.(Counting); ok {
			return c, true
		}
	}
	return nil, false
}

// Interrupted reports whether a job that ends because its worker stops goes back to its
// queue.
func (s Set) Interrupted() bool { return slices.ContainsFunc(s, Policy.Interrupted) }

// Admits reports whether jobs of the class must be admitted before they are performed.
func (s Set) Admits() bool {
	for _, p := range s {
		if _, ok := p.(Admitter); ok {
			return true
		}
	}
	return false
}

// Admit returns what a job needs before it is performed. wrong is the panic of a policy:
// then the job fails.
func (s Set) Admit(job *Job) (needs []store.Need, wrong error) {
	job.needed = nil
	for _, p := range s {
		a, ok := p.(Admitter)
		if !ok {
			continue
		}
		var some []store.Need
		if wrong = recovered(func() { some = a.Admit(job) }); wrong != nil {
			return nil, wrong
		}
		for range some {
			job.needed = append(job.needed, p.Place())
		}
		needs = append(needs, some...)
	}
	return needs, nil
}

// Job is a job that was reserved or has ended.
type Job struct {
	Class   string // of the inner job, if it is wrapped
	Queue   string
	Args    []json.RawMessage
	Payload []byte // as it was in the queue
	Given   any    // the *resque.Payload, for functions of the user

	// Counted means that the worker counted the attempt when it began: it was Ruby's.
	Counted bool

	// Token is the same for the worker that has reserved the job and for a process that
	// prunes that worker, and differs for each reserve. It is empty if no policy of the
	// class is an Admitter.
	Token string

	// Worker and Guard are the worker's id and the beginning of the job's record. They are
	// set if Token is.
	Worker string
	Guard  []byte

	// Skipped means that the job was not performed, because its batch is canceled.
	Skipped bool

	// Age is how long ago the job was reserved, about.
	Age time.Duration

	// Notes are what the handler has left for the end of the job; nil if nothing can be left.
	Notes *Notes

	Store *store.Store
	Now   func() time.Time // on Redis's clock

	seen   map[string]store.Value
	needed []Place // of each need
	got    []store.Got
}

// Token returns the token of the job in the record of a worker.
func Token(worker, runAt string) string { return worker + " " + runAt }

// Admitted notes what the needs of the job were given, for Got.
func (j *Job) Admitted(got []store.Got) { j.got = got }

// Got returns what the needs of the policy of a place were given, in the order of Admit.
// It returns nil if that is not known, or if the policy needed nothing.
func (j *Job) Got(p Place) (got []store.Got) {
	for i, place := range j.needed {
		if place == p && i < len(j.got) {
			got = append(got, j.got[i])
		}
	}
	return got
}

// Refused reports whether a need of the job was refused.
func (j *Job) Refused() bool {
	return slices.ContainsFunc(j.got, func(g store.Got) bool { return g.State == store.NeedRefused })
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

// Kind is how a job ended.
type Kind int

// The kinds of ends. After Done, Failed and Crashed an attempt of the job is over. The
// others are not an attempt.
const (
	Done     Kind = iota // it succeeded
	Failed               // it did not succeed
	Crashed              // its worker died
	Vetoed               // a hook refused to perform it, with resque.ErrDontPerform
	Snoozed              // it asked to be performed again, with resque.Snooze
	Refused              // it was not performed, because a need was refused
	Returned             // it goes back to its queue: it was not begun, or the worker stops
)

// IsAttempt reports whether an attempt of the job is over.
func (k Kind) IsAttempt() bool { return k <= Crashed }

// Ending is the end of a job. Policies change what happens then.
type Ending struct {
	Kind    Kind
	Err     error         // why the job failed; nil if it succeeded
	Verdict Verdict       // on Err
	Failure func() []byte // returns the record of the failure

	Fail    bool                // the failure is recorded in the failure lists and given to failure backends
	Again   *Again              // the job is performed again; nil if it is not
	Counted bool                // a refused job counts as processed; the other kinds do not use it
	Expect  []store.Expectation // of the kinds Failed, Crashed, Snoozed and Refused; the others do not use it
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

	// Put are the effects that delay the job or put it into its queue. They default to
	// store.Later.
	Put []store.Effect
}

// Failed reports whether the job has failed, be it performed again or not.
func (e *Ending) Failed() bool {
	return (e.Kind == Failed || e.Kind == Crashed) && !e.Verdict.Handled
}

// End returns the end of a job. Of e, the caller sets Kind, Err, Verdict and Failure. wrong
// is the panic of a policy: the changes of the policies are then dropped. If the job is a
// member of a batch, its end is counted there. That is decided last, because a job that is
// performed again has not ended.
func (s Set) End(job *Job, e Ending) (_ Ending, wrong error) {
	e, wrong = s.decide(job, e)
	job.countMember(&e)
	return e, wrong
}

func (s Set) decide(job *Job, e Ending) (_ Ending, wrong error) {
	e.Fail = e.Kind == Failed || e.Kind == Crashed
	if e.Kind == Snoozed {
		e.Again = job.Again(job.Queue, job.Payload, *e.Verdict.Wait)
	}
	given := e
	for _, p := range s {
		if wrong = recovered(func() { p.End(job, &e) }); wrong != nil {
			given.Verdict.Handled = false
			return given, wrong
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
	if e.Again != nil && e.Again.Put != nil {
		effects = append(effects, e.Again.Put...)
	} else if e.Again != nil {
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
