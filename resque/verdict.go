package resque

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goresque/goresque/internal/policy"
)

// RetryIn returns an error that wraps err. If the job's class has a retry policy that
// retries it, the next attempt is due after d instead of the policy's delay. Use it when
// a server says how long to wait. d is counted from the end of the job; if it is not more
// than 0, the attempt is due at once. RetryIn returns nil if err is nil.
func RetryIn(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &verdictError{err, policy.Verdict{Wait: &d}}
}

// Discard returns an error that wraps err. The job fails with it, even if its class has a
// retry policy with attempts left. Discard returns nil if err is nil.
func Discard(err error) error {
	if err == nil {
		return nil
	}
	return &verdictError{err, policy.Verdict{Final: true}}
}

// Snooze returns an error. A handler returns it to have its job performed again after d;
// its class needs no retry policy. The job has not failed: it is not counted, no failure
// hook is called, and it is not an attempt of a retry policy. If d is not more than 0, the job goes to the end
// of its queue. Otherwise it is delayed, as by [Job.In], and a scheduler must run.
func Snooze(d time.Duration) error {
	return &verdictError{fmt.Errorf("resque: the job is to be performed again in %v", d), policy.Verdict{Snooze: true, Wait: &d}}
}

// Return returns an error. A handler that has noticed the end of [Stopping] returns it to give
// its job back: the job goes to the front of its queue, is not counted, and is not an attempt of
// a retry policy. Package resume uses it. While the worker is not stopping, a free slot begins
// the job again at once; use [Snooze] then.
func Return() error {
	return &verdictError{errors.New("resque: the job is to go back to its queue"), policy.Verdict{Return: true}}
}

type stoppingKey struct{}

// WithStopping returns a copy of ctx for which [Stopping] returns done. Workers call it.
func WithStopping(ctx context.Context, done <-chan struct{}) context.Context {
	return context.WithValue(ctx, stoppingKey{}, done)
}

// Stopping returns a channel that is closed when the worker that performs the job of ctx begins
// to stop. The job may go on: its context ends only if the worker must not wait for it. The
// channel is nil, which is never closed, unless the job's class has a policy, and in a child
// process.
func Stopping(ctx context.Context) <-chan struct{} {
	done, _ := ctx.Value(stoppingKey{}).(<-chan struct{})
	return done
}

// verdictError is an error with a verdict on its job.
type verdictError struct {
	error
	verdict policy.Verdict
}

func (e *verdictError) Unwrap() error { return e.error }

// IsSnooze reports whether err, the error of a job, is that of [Snooze]. Middleware that
// counts or reports failures uses it.
func IsSnooze(err error) bool {
	return guarded(func() bool { return verdictOf(err).Snooze }, false)
}

func verdictOf(err error) policy.Verdict {
	var v *verdictError
	if errors.As(err, &v) {
		return v.verdict
	}
	return policy.Verdict{Final: errors.Is(err, ErrCanceled)}
}

// Judge returns what err, the error of a job of class, means for further attempts. That
// depends on the error, see [RetryIn], and on the policies that h has for the class.
// payload is the job as it was in its queue. Workers call Judge in the process that
// performed the job. wrong is not nil if a function of a policy panicked.
func Judge(h Handler, class string, payload []byte, err error) (v policy.Verdict, wrong error) {
	v = guarded(func() policy.Verdict { return verdictOf(err) }, policy.Verdict{})
	if v.Snooze || v.Return {
		return v, nil
	}
	return PoliciesOf(h, class).Judge(payload, err, v)
}

// PoliciesOf returns the policies that h, which is usually a [Mux], has for a class.
// Workers apply them to the end of each job.
func PoliciesOf(h Handler, class string) policy.Set { return routeOf(h, class).policies }
