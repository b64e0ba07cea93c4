package retry

import (
	"cmp"
	"context"
	"strconv"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// end applies a policy to the end of a job.
type end struct{ *Policy }

// Place implements policy.Policy.
func (end) Place() policy.Place { return policy.Retry }

// Interrupted implements policy.Policy.
func (end) Interrupted() bool { return true }

func (end) String() string { return "retry.Policy" }

// Judge implements policy.Policy.
//
// Ruby: Resque::Plugins::Retry#retry_exception?.
func (p end) Judge(_ []byte, err error, v *policy.Verdict) {
	v.Final = v.Final || p.Only != nil && !p.Only(err) || p.Never != nil && p.Never(err)
}

// Counter implements policy.Counting.
func (p end) Counter(job *policy.Job) (keys store.RetryKeys, ok bool) {
	return job.Store.RetryKeys(job.Class, p.id(job)), true
}

// Attempts implements policy.Counting.
func (p end) Attempts([]byte) int64 { return p.attempts() }

// End implements policy.Policy. At first it takes a failed attempt for the first one, so
// that Redis need not be asked.
//
// Ruby: Resque::Plugins::Retry#after_perform_retry and #on_failure_retry.
func (p end) End(job *policy.Job, e *policy.Ending) {
	if !e.Kind.IsAttempt() || e.Again != nil { // a policy before this one performs it again
		return
	}
	id := p.id(job)
	if e.Err == nil {
		e.Effects = append(e.Effects, job.Store.ForgetAttempts(job.Class, id))
		return
	}
	keys := job.Store.RetryKeys(job.Class, id)
	number := attemptOf(job, keys)
	if number.odd {
		e.Notes = append(e.Notes, "attempt", "unknown, its counter is not a number")
	}
	if e.Verdict.Final || number.odd || p.Limit != Forever && number.n >= int64(p.Limit) {
		p.giveUp(job, e, id, number)
	} else {
		p.retry(job, e, keys, number)
	}
}

// retry performs the job again.
//
// Ruby: Resque::Plugins::Retry#try_again.
func (p end) retry(job *policy.Job, e *policy.Ending, keys store.RetryKeys, number number) {
	wait := p.delay(number.n, e.Err)
	if e.Verdict.Wait != nil {
		wait = min(max(*e.Verdict.Wait, 0), longest)
	}
	e.Expect = append(e.Expect, number.expected)
	e.Effects = append(e.Effects, keys.SetAttempt(number.n, wait+p.ExpireAfter))
	if e.Fail = p.Record == EveryAttempt; !e.Fail && wait > 0 {
		e.Effects = append(e.Effects, keys.SetFailure(e.Failure(), 2*wait))
	}
	e.Again = job.Again(cmp.Or(p.Queue, job.Queue), job.Payload, wait)
	p.note(e, number)
	if p.OnRetry != nil {
		state := State{Attempt: number.n + 1, Limit: p.attempts(), Err: e.Err, Due: e.Again.Due}
		e.After = func(ctx context.Context) { p.call(ctx, p.OnRetry, job, state) }
	}
}

// giveUp does not perform the job again. It needs no expectation if the number of the
// attempt does not matter.
//
// Ruby: Resque::Plugins::Retry#give_up.
func (p end) giveUp(job *policy.Job, e *policy.Ending, id string, number number) {
	e.Effects = append(e.Effects, job.Store.ForgetAttempts(job.Class, id), job.Store.RetryKeys(job.Class, id).ForgetFailure())
	state := State{Limit: p.attempts(), Err: e.Err}
	if !e.Verdict.Final && !number.odd {
		e.Expect = append(e.Expect, number.expected)
		state.Attempt = number.n + 1
		p.note(e, number)
	}
	if p.OnGiveUp != nil {
		e.Before = func(ctx context.Context) { p.call(ctx, p.OnGiveUp, job, state) }
	}
}

// note notes the attempt for the log.
func (p end) note(e *policy.Ending, number number) {
	e.Notes = append(e.Notes, "attempt", number.n+1)
	if p.Limit != Forever {
		e.Notes = append(e.Notes, "attempts", p.attempts())
	}
}

func (end) call(ctx context.Context, hook func(context.Context, *resque.Payload, State), job *policy.Job, state State) {
	given, ok := job.Given.(*resque.Payload)
	if !ok {
		given = &resque.Payload{Class: job.Class, Queue: job.Queue, Args: job.Args, Raw: job.Payload}
	}
	hook(resque.WithPayload(ctx, given), given, state)
}

// number is the number of the attempt that has failed, from 0.
type number struct {
	n        int64
	odd      bool // the counter is not a number
	expected store.Expectation
}

// attemptOf returns the number of the attempt that has failed. The counter has the number
// of the last failed attempt. A Ruby worker has counted its attempt before it began. Its
// counter is -1 if a job has failed before that.
func attemptOf(job *policy.Job, keys store.RetryKeys) number {
	seen, ok := job.Seen(keys.Attempts)
	result := number{expected: store.Expectation{Key: keys.Attempts, Value: seen.Text}}
	if !ok || seen.Text == "" && !seen.Other {
		return result
	}
	last, err := strconv.ParseInt(seen.Text, 10, 64)
	if err != nil || last > maxAttempts {
		result.odd = true
		return result
	}
	if !job.Counted {
		last++
	}
	result.n = max(last, 0)
	return result
}

// maxAttempts is more than any job needs. A larger counter is not from a retry.
const maxAttempts = 1 << 40

// id returns the part of the keys that distinguishes jobs of the class.
//
// Ruby: Resque::Plugins::Retry#retry_identifier.
func (p *Policy) id(job *policy.Job) string {
	if p.ID != nil {
		if given, ok := job.Given.(*resque.Payload); ok {
			return p.ID(given)
		}
	}
	return job.Store.RetryID(job.Args)
}
