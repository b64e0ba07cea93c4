package activejob

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
)

// Unlimited is a value for [Retry].Attempts without an end.
//
// Ruby: attempts: :unlimited.
const Unlimited = -1

// Retry retries the jobs of a class that failed with certain errors. It is a
// [resque.Setting]. A class may have several, together with [Discard]: the last one that
// an error fits decides, as in Rails. If none fits, the job fails.
//
//	// Ruby: retry_on StandardError; retry_on Net::ReadTimeout, attempts: 3, wait: 0; discard_on Gone
//	var ExportJob = activejob.Define1[int64]("ExportJob", "exports",
//		activejob.Retry{},
//		activejob.Retry{Exceptions: []string{"Net::ReadTimeout"}, Attempts: 3, Wait: activejob.NoWait},
//		activejob.Discard{Exceptions: []string{"Gone"}},
//	)
//
// Attempts are counted in the payload, where Rails counts them, so that Ruby and Go
// workers agree on how many are left. The next attempt is written to Redis in the step
// that removes the record of the running job: none is lost or done twice if a process
// dies. As in Rails, a job that is retried has not failed: it is counted as processed, no
// failure is recorded, and no failure hook is called. A job that Rails did not wrap is
// not retried.
//
// If a job's worker dies, the error is a *resque.DeadWorkerError, with the exception name
// Resque::PruneDeadWorkerDirtyExit. StandardError includes it. A job that ends because
// its worker stops has not failed an attempt: it goes back to the front of its queue.
//
// Match, Wait and the hooks are called by many goroutines at once.
//
// Ruby: ActiveJob::Exceptions.retry_on.
type Retry struct {
	// Exceptions are the names of the exception classes to retry, in the order of the
	// Rails app's retry_on. Attempts are counted under all the names together. An
	// error's name is the result of its method ExceptionName() string. StandardError
	// fits every error, except that of a job that was told to end, which Exception fits.
	//
	// Defaults to StandardError.
	Exceptions []string

	// Match reports whether to retry after an error. If it is set, Exceptions is only
	// used to count attempts. It is called in the process that performs the job.
	Match func(error) bool

	// Attempts is the maximum number of attempts, including the first. Unlimited has no
	// end.
	//
	// Defaults to 5, as in Rails.
	Attempts int

	// Wait returns how long to wait before the next attempt, after n attempts have
	// failed. An attempt that waits is a delayed job: a scheduler must run, Ruby's or
	// that of goresque. Without a wait the attempt is queued at once.
	//
	// Defaults to 3 seconds, as in Rails.
	Wait func(n int) time.Duration

	// Jitter lengthens each wait by a random part of it, at most by this factor. It is
	// between 0 and 1. New Rails apps have 0.15.
	//
	// Defaults to 0.
	Jitter float64

	// Queue and Priority are those of the next attempt.
	//
	// Each defaults to that of the current attempt.
	Queue    string
	Priority *int

	// OnRetry is called after a failed attempt, when the next one is in Redis. It is not
	// called if the process dies in between.
	//
	// Ruby: the notification enqueue_retry.active_job.
	OnRetry func(ctx context.Context, job *resque.Payload, a retry.State)

	// OnGiveUp is called when the attempts are used up, before the failure is recorded.
	// It is called twice if the process dies in between. Unlike the block of retry_on,
	// it does not replace the failure.
	//
	// Ruby: the block of retry_on.
	OnGiveUp func(ctx context.Context, job *resque.Payload, a retry.State)
}

// Discard drops the jobs of a class that failed with certain errors: they are counted as
// processed and logged, and no failure is recorded. It is a [resque.Setting]; see [Retry]
// for a class that has several.
//
// Ruby: ActiveJob::Exceptions.discard_on.
type Discard struct {
	// Exceptions are the names of exception classes, as in [Retry]. One is required
	// unless Match is set.
	Exceptions []string

	// Match reports whether to drop the job after an error. If it is set, Exceptions is
	// not used. It is called in the process that performs the job.
	Match func(error) bool

	// OnDiscard is called when the job has been dropped. It is not called if the process
	// dies in between.
	//
	// Ruby: the block of discard_on.
	OnDiscard func(ctx context.Context, job *resque.Payload, err error)
}

var _, _ resque.Setting = Retry{}, Discard{}

// Apply implements [resque.Setting]. It returns an error that names all mistakes.
func (r Retry) Apply(s *resque.Settings) error {
	var mistakes []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			mistakes = append(mistakes, fmt.Errorf("activejob.Retry: "+format, args...))
		}
	}
	wrong(slices.Contains(r.Exceptions, ""), "Exceptions has an empty name")
	wrong(r.Attempts < Unlimited, "Attempts is %d; it must be more than 0, or activejob.Unlimited", r.Attempts)
	wrong(!(r.Jitter >= 0 && r.Jitter <= 1), "Jitter is %v; it must be between 0 and 1", r.Jitter)
	wrong(!utf8.ValidString(r.Queue), "Queue %q is not valid UTF-8", r.Queue)
	if len(mistakes) > 0 {
		return errors.Join(mistakes...)
	}
	r.Exceptions = slices.Clone(r.Exceptions)
	if len(r.Exceptions) == 0 {
		r.Exceptions = []string{standardError}
	}
	r.Attempts = cmp.Or(r.Attempts, 5)
	if r.Wait == nil {
		r.Wait = func(int) time.Duration { return 3 * time.Second }
	}
	return s.AddPolicy(rules{{exceptions: r.Exceptions, match: r.Match, retry: &r}})
}

// Apply implements [resque.Setting].
func (d Discard) Apply(s *resque.Settings) error {
	switch {
	case len(d.Exceptions) == 0 && d.Match == nil:
		return errors.New("activejob.Discard: Exceptions or Match is needed (StandardError drops every job that fails)")
	case slices.Contains(d.Exceptions, ""):
		return errors.New("activejob.Discard: Exceptions has an empty name")
	}
	return s.AddPolicy(rules{{exceptions: slices.Clone(d.Exceptions), match: d.Match, discarded: d.OnDiscard}})
}

// key returns the name under which attempts are counted: Ruby's text of the array of
// classes.
func (r *Retry) key() string {
	return strings.ToValidUTF8("["+strings.Join(r.Exceptions, ", ")+"]", "\uFFFD")
}

// longest is the longest wait. It keeps times in the years that have four digits.
const longest = 100 * 365 * 24 * time.Hour

// wait returns the wait after n attempts, with jitter.
func (r *Retry) wait(n int) time.Duration {
	d := min(max(r.Wait(n), 0), longest)
	return d + time.Duration(r.Jitter*rand.Float64()*float64(d)) //nolint:gosec // need not be unpredictable
}

// NoWait returns 0. It is a value for [Retry].Wait.
//
// Ruby: wait: 0.
func NoWait(int) time.Duration { return 0 }

// PolynomiallyLonger returns n**4 + 2 seconds. It is a value for [Retry].Wait.
//
// Ruby: wait: :polynomially_longer.
func PolynomiallyLonger(n int) time.Duration {
	n = min(n, 200) // 50 years
	return time.Duration(n*n*n*n+2) * time.Second
}
