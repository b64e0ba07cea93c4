package activejob

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
)

const standardError = "StandardError"

// rules is the policy of a class: its settings Retry and Discard, in the order in which
// they were given. It needs no key in Redis, because the payload has the counters.
type rules []rule

var (
	_ policy.Policy   = rules{}
	_ policy.Joiner   = rules{}
	_ policy.Counting = rules{}
)

// rule is a Retry or, if retry is nil, a Discard.
type rule struct {
	exceptions []string
	match      func(error) bool
	retry      *Retry
	discarded  func(ctx context.Context, job *resque.Payload, err error)
}

// Place implements policy.Policy.
func (rules) Place() policy.Place { return policy.Retry }

// Interrupted implements policy.Policy.
func (p rules) Interrupted() bool {
	return slices.ContainsFunc(p, func(r rule) bool { return r.retry != nil })
}

func (p rules) String() string {
	if p[0].retry == nil {
		return "activejob.Discard"
	}
	return "activejob.Retry"
}

// Join implements policy.Joiner.
func (p rules) Join(later policy.Policy) (joined policy.Policy, ok bool) {
	more, ok := later.(rules)
	if !ok {
		return nil, false
	}
	return slices.Concat(p, more), true
}

// Judge implements policy.Policy. The error is handled, and the job has not failed, if
// it is performed again or dropped.
//
// Ruby: ActiveSupport::Rescuable#rescue_with_handler.
func (p rules) Judge(payload []byte, err error, v *policy.Verdict) {
	data, ok := DataOf(&resque.Payload{Raw: payload})
	if p := progressOf(*v); !ok || p != nil && p.Resume {
		return
	}
	if v.Rule = p.find(err); v.Rule > 0 && !v.Final {
		r := p[v.Rule-1].retry
		v.Handled = r == nil || r.Attempts == Unlimited || r.attempts(data) < r.Attempts
	}
}

// find returns the number, from 1, of the rule for err, or 0. As in Rails, the last rule
// for an error comes first, and the error comes before those that it wraps.
func (p rules) find(err error) int {
	for _, name := range exceptionNames(err) {
		for i, r := range slices.Backward(p) {
			if r.fits(name, err) {
				return i + 1
			}
		}
	}
	return 0
}

func (r rule) fits(name string, err error) bool {
	if r.match != nil {
		return r.match(err)
	}
	return slices.Contains(r.exceptions, name) || slices.Contains(r.exceptions, "Exception") ||
		slices.Contains(r.exceptions, standardError) && !errors.Is(err, resque.ErrTerm)
}

// exceptionNames returns the names of err and of the errors that it wraps, "" for an error
// without any.
func exceptionNames(err error) (names []string) {
	var walk func(error)
	walk = func(err error) {
		if named, ok := err.(interface{ ExceptionName() string }); ok {
			names = append(names, named.ExceptionName())
		}
		switch e := err.(type) { //nolint:errorlint // each error by itself
		case interface{ Unwrap() error }:
			walk(e.Unwrap())
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				walk(inner)
			}
		}
	}
	walk(err)
	if len(names) == 0 {
		names = []string{""}
	}
	return names
}

// attempts returns the number of attempts so far, including the current one.
//
// Ruby: ActiveJob::Exceptions#executions_for.
func (r *Retry) attempts(data Data) int {
	raw, _ := data.Member("exception_executions")
	if _, ok := rubyjson.Members(raw); !ok { // null, or not what Rails writes
		return data.Executions + 1
	}
	return data.Exceptions[r.key()] + 1
}

// Counter implements policy.Counting.
func (rules) Counter(*policy.Job) (keys store.RetryKeys, ok bool) { return keys, false }

// Attempts implements policy.Counting. The limit is that of the only Retry, or of the only
// one that has counted attempts of the job.
func (p rules) Attempts(payload []byte) (limit int64) {
	retries := slices.DeleteFunc(slices.Clone(p), func(r rule) bool { return r.retry == nil })
	if len(retries) > 1 {
		data, _ := DataOf(&resque.Payload{Raw: payload})
		retries = slices.DeleteFunc(retries, func(r rule) bool { return data.Exceptions[r.retry.key()] == 0 })
	}
	if len(retries) != 1 {
		return 0
	}
	return retries[0].retry.limit()
}

// limit is the Limit of a retry.State.
func (r *Retry) limit() int64 {
	if r.Attempts == Unlimited {
		return retry.Forever
	}
	return int64(r.Attempts)
}

// End implements policy.Policy.
//
// Ruby: the block that ActiveJob::Exceptions.retry_on passes to rescue_from.
func (p rules) End(job *policy.Job, e *policy.Ending) {
	if e.Err == nil || e.Verdict.Rule <= 0 || e.Verdict.Rule > len(p) {
		return
	}
	if r := p[e.Verdict.Rule-1]; r.retry != nil {
		r.retry.end(job, e)
	} else if e.Verdict.Handled {
		e.Fail = false
		if r.discarded != nil {
			e.After = func(ctx context.Context) {
				ctx, given := given(ctx, job)
				r.discarded(ctx, given, e.Err)
			}
		}
	}
}

// end performs the job again, or lets it fail.
func (r *Retry) end(job *policy.Job, e *policy.Ending) {
	data, _ := DataOf(&resque.Payload{Raw: job.Payload})
	state := retry.State{Attempt: int64(r.attempts(data)), Limit: r.limit(), Err: e.Err}
	e.Notes = append(e.Notes, "attempt", state.Attempt)
	if r.Attempts != Unlimited {
		e.Notes = append(e.Notes, "attempts", state.Limit)
	}
	if !e.Verdict.Handled {
		e.Before = r.hook(r.OnGiveUp, job, state)
		return
	}
	wait := time.Duration(0)
	if given := e.Verdict.Wait; given != nil {
		wait = min(max(*given, 0), longest)
	} else {
		wait = r.wait(r.attempts(data))
	}
	now := time.Now()
	if wait > 0 {
		now = job.Now()
	}
	payload, err := advance{r.key(), now, wait, r.Queue, r.Priority, progressOf(e.Verdict)}.next(job.Payload)
	if err != nil { // not expected: Judge has read the payload
		e.Verdict.Handled = false
		e.Notes = append(e.Notes, "retry", err.Error())
		return
	}
	e.Fail = false
	e.Again = &policy.Again{Queue: cmp.Or(r.Queue, data.Queue, job.Queue), Payload: payload, Due: policy.DueAfter(now, wait)}
	state.Due = e.Again.Due
	e.After = r.hook(r.OnRetry, job, state)
}

// hook returns a call of a hook, or nil if it is not set.
func (r *Retry) hook(fn func(context.Context, *resque.Payload, retry.State), job *policy.Job, state retry.State) func(context.Context) {
	if fn == nil {
		return nil
	}
	return func(ctx context.Context) {
		ctx, given := given(ctx, job)
		fn(ctx, given, state)
	}
}

// given returns the job for hooks, and a context with it.
func given(ctx context.Context, job *policy.Job) (context.Context, *resque.Payload) {
	given, ok := job.Given.(*resque.Payload)
	if !ok {
		given = &resque.Payload{Class: job.Class, Queue: job.Queue, Args: job.Args, Raw: job.Payload}
	}
	return resque.WithPayload(ctx, given), given
}
