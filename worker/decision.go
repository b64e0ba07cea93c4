package worker

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// decision is how the job of a slot ends if policies take part. They decide at first
// without looking at Redis. If a value there is not the one that they expect, nothing is
// written, and they decide again.
type decision struct {
	*slot
	in      *runningJob
	err     error
	given   policy.Ending          // before the policies changed it
	failure func() *resque.Failure // made when it is needed
	job     policy.Job
	ending  policy.Ending
	saved   bool // by the failure backends
	attrs   []any
}

// clockTimeout bounds a reading of Redis's clock, of which most decisions need none.
const clockTimeout = 5 * time.Second

// decide returns the end of a job with an error by the policies of its class.
func (s *slot) decide(in *runningJob, err error, at time.Time, attrs []any) *finished {
	e := policy.Ending{Kind: policy.Failed, Err: err, Verdict: s.judge(in, err)}
	if e.Verdict.Snooze {
		e.Kind = policy.Snoozed
	}
	return s.decideOn(in, e, at, attrs)
}

func (s *slot) decideOn(in *runningJob, e policy.Ending, at time.Time, attrs []any) *finished {
	d := &decision{slot: s, in: in, err: e.Err, given: e, job: s.ended(in), attrs: attrs}
	d.failure = sync.OnceValue(func() *resque.Failure {
		f := resque.NewFailure(in.job, d.err, at)
		return &f
	})
	d.given.Failure = func() []byte { return d.failure().AppendJSON(nil) }
	last := &finished{Finished: exchange.Finished{Outcome: d.outcome()}}
	last.before, last.Again, last.Recorded = d.before, d.again, d.recorded
	return last
}

// with adds to an outcome what the policies of the job add to an end of this kind. Only the
// end of a member of a batch expects something, and may be decided again.
func (s *slot) with(in *runningJob, kind policy.Kind, last *finished) *finished {
	if in.policies == nil && !in.isMember() {
		return last
	}
	job, effects := s.ended(in), last.Effects
	job.Skipped = in.skipped
	decide := func() {
		e, wrong := in.policies.End(&job, policy.Ending{Kind: kind})
		s.logWrong(in, wrong)
		last.Effects, last.Expect = slices.Concat(e.Effects, effects), e.Expect
	}
	decide()
	if len(last.Expect) > 0 {
		last.Again = func(expected []store.Expectation, values []store.Value) store.Outcome {
			job.Note(expected, values)
			decide()
			return last.Outcome
		}
	}
	return last
}

// ended returns a job that has ended, for policies.
func (s *slot) ended(in *runningJob) policy.Job {
	if in.admitted != nil {
		job := *in.admitted
		job.Age, job.Notes = time.Since(in.started), in.notes
		return job
	}
	return policy.Job{
		Class: in.class, Queue: in.reserved.Queue, Args: in.args, Payload: in.reserved.Payload, Given: in.job,
		Age: time.Since(in.started), Store: s.outcomes.store, Now: s.outcomes.now,
	}
}

// judge returns what the error of a job means for further attempts. It judges a job once:
// an error that a failure hook adds later does not change the verdict.
func (s *slot) judge(in *runningJob, err error) policy.Verdict {
	if in.verdict != nil {
		return *in.verdict
	}
	v, wrong := policy.Verdict{}, error(nil)
	if child, ok := err.(*childError); ok { //nolint:errorlint // what a child reports is not wrapped
		v = child.verdict()
	} else {
		v, wrong = resque.Judge(s.handler, in.class, in.reserved.Payload, err)
	}
	s.logWrong(in, wrong)
	in.verdict = &v
	return v
}

func (s *slot) logWrong(in *runningJob, wrong error) {
	if wrong != nil {
		s.log.Error("a policy failed", "class", in.class, "queue", in.reserved.Queue, "worker", in.reserved.Worker, "err", wrong)
	}
}

// outcome lets the policies decide and returns what is written.
func (d *decision) outcome() store.Outcome {
	var wrong error
	d.ending, wrong = d.in.policies.End(&d.job, d.given)
	d.logWrong(d.in, wrong)
	effects := d.outcomes.written(&d.ending, d.job.Queue)
	if d.ending.Failed() && !isDirtyExit(d.err) {
		effects = slices.Concat(effects, d.outcomes.store.FailedCount(d.in.reserved.Worker))
	}
	if d.given.Kind == policy.Failed || d.ending.Counted {
		effects = slices.Concat(effects, d.outcomes.store.Processed(d.in.reserved.Worker))
	}
	f := exchange.Finish(d.in.reserved, effects)
	f.Expect = d.ending.Expect
	return f.Outcome
}

// again decides again, because values are not the expected ones.
func (d *decision) again(expected []store.Expectation, values []store.Value) store.Outcome {
	d.job.Note(expected, values)
	o := d.outcome()
	d.before(context.Background())
	return o
}

// before does what must be done before the outcome is written: if the process dies in
// between, it is done twice and not never.
func (d *decision) before(ctx context.Context) {
	d.logWrong(d.in, policy.Call(ctx, d.ending.Before))
	if d.ending.Fail && !d.saved {
		d.saved = true
		resque.SaveFailure(ctx, d.cfg.Logger, d.cfg.FailureBackends, *d.failure())
	}
}

// recorded logs the outcome, which is certain only now. It returns what policies do after
// that.
func (d *decision) recorded() (after func()) {
	attrs := slices.Concat(d.attrs, d.ending.Notes)
	if again := d.ending.Again; again != nil && !again.Due.IsZero() {
		attrs = append(attrs, "due", again.Due.UTC().Format(time.RFC3339))
	}
	switch {
	case d.given.Verdict.Killed:
		d.log.Info("job killed", attrs...)
	case d.given.Kind == policy.Refused && d.ending.Again != nil:
		d.log.Info("job put off: it cannot be performed now", attrs...)
	case d.given.Kind == policy.Refused:
		d.log.Info("job not performed: a policy refused it", attrs...)
	case d.given.Kind == policy.Snoozed:
		d.log.Info("job snoozed: it asked to be performed again", attrs...)
	case d.given.Verdict.Interrupted && d.ending.Again != nil:
		d.log.Info("job interrupted: it goes on later, because the worker is stopping", attrs...)
	case d.ending.Again != nil:
		d.log.Warn("job failed, retrying", append(attrs, "err", d.err)...)
	case d.ending.Verdict.Handled:
		d.log.Warn("job discarded", append(attrs, "err", d.err)...)
	default:
		d.log.Error("job failed", append(attrs, "err", d.err)...)
	}
	if d.ending.After == nil {
		return nil
	}
	return func() { d.logWrong(d.in, policy.Call(context.Background(), d.ending.After)) }
}
