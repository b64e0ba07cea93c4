package activejob

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
)

// Retry is the counterpart of Rails' retry_on. If a handler returns one of the
// configured errors, the job is enqueued again. Attempts are counted in the same place
// as Rails counts them, so that Ruby and Go workers agree on how many are left. The
// job fails after the last attempt, and after any other error. Retry does not retry a
// job that Rails did not wrap, or one whose context was ended by anything other than
// its time limit.
//
// The next attempt is enqueued before the current one is finished. If the worker dies
// between the two, the running job is treated like that of any dead worker, and the job
// runs once more than it should.
//
// Ruby: ActiveJob::Exceptions.retry_on.
type Retry struct {
	// Client enqueues the attempts. It is required.
	Client *resque.Client

	// Exceptions are the names of the exception classes to retry, in the order of the
	// Rails app's retry_on. Attempts are counted under all the names together. An
	// error's name is the result of its method ExceptionName() string. Defaults to
	// StandardError, which includes every error.
	Exceptions []string

	// Match reports whether to retry after an error. If it is set, Exceptions is only
	// used to count attempts.
	Match func(error) bool

	// Attempts is the maximum number of attempts, including the first. Defaults to 5.
	Attempts int

	// Wait returns how long to wait before the next attempt, after n attempts have
	// failed. An attempt that waits is a delayed job: a scheduler must run, Ruby's or
	// that of goresque. Without a wait the attempt is queued at once. Defaults to 3
	// seconds, as in Rails.
	Wait func(n int) time.Duration

	// Queue and Priority are those of the next attempt. Each defaults to that of the
	// current attempt.
	Queue    string
	Priority *int
}

// Middleware returns a handler that retries the jobs of next. Pass Middleware to the
// Use method of a route, or to that of a mux to retry jobs of every class. If a
// handler has several Retry middlewares, the innermost decides first. Middleware
// panics if Client is nil.
func (r Retry) Middleware(next resque.Handler) resque.Handler {
	if next == nil {
		return nil // Mux.Handle panics because of the nil handler
	}
	if r.Client == nil {
		panic("activejob: Retry: a Client is needed")
	}
	r.Exceptions = slices.Clone(r.Exceptions)
	return resque.HandlerFunc(func(ctx context.Context, job *resque.Payload) error {
		err := next.Perform(ctx, job)
		data, ok := DataOf(job)
		if err == nil || !ok || !r.fits(ctx, err) {
			return err
		}
		if r.attempts(data) >= cmp.Or(r.Attempts, 5) {
			return err
		}
		if again := r.enqueue(context.WithoutCancel(ctx), job, data); again != nil {
			return errors.Join(err, fmt.Errorf("activejob: retrying %s: %w", data.Class, again))
		}
		return nil
	})
}

// fits reports whether to retry after err. A job that the worker stopped is not
// retried: in Ruby, a SignalException is not a StandardError.
func (r Retry) fits(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		var timeout *resque.TimeoutError
		if cause := context.Cause(ctx); !errors.As(cause, &timeout) {
			return false
		} else if errors.Is(err, ctx.Err()) {
			err = cause
		}
	}
	if r.Match != nil {
		return r.Match(err)
	}
	if len(r.Exceptions) == 0 || slices.Contains(r.Exceptions, "StandardError") {
		return true
	}
	var named interface{ ExceptionName() string }
	return errors.As(err, &named) && slices.Contains(r.Exceptions, named.ExceptionName())
}

// key returns the name under which attempts are counted: Ruby's text of the array of
// classes.
func (r Retry) key() string {
	if len(r.Exceptions) == 0 {
		return "[StandardError]"
	}
	return strings.ToValidUTF8("["+strings.Join(r.Exceptions, ", ")+"]", "\uFFFD")
}

// attempts returns the number of attempts so far, including the current one.
//
// Ruby: ActiveJob::Exceptions#executions_for.
func (r Retry) attempts(data Data) int {
	raw, _ := data.Member("exception_executions")
	if _, ok := rubyjson.Members(raw); !ok { // null, or not what Rails writes
		return data.Executions + 1
	}
	return data.Exceptions[r.key()] + 1
}

// enqueueTimeout is the limit for enqueueing an attempt, in place of the job's
// context, which may have ended.
const enqueueTimeout = 15 * time.Second

func (r Retry) enqueue(ctx context.Context, job *resque.Payload, data Data) error {
	ctx, cancel := context.WithTimeout(ctx, enqueueTimeout)
	defer cancel()
	wait := 3 * time.Second
	if r.Wait != nil {
		wait = r.Wait(r.attempts(data))
	}
	now := time.Now()
	payload, err := advance{r.key(), now, wait, r.Queue, r.Priority}.next(job.Raw)
	if err != nil {
		return err
	}
	queue := cmp.Or(r.Queue, data.Queue, job.Queue)
	if wait <= 0 {
		_, err = r.Client.EnqueuePayload(ctx, queue, payload)
	} else {
		_, err = r.Client.EnqueuePayloadIn(ctx, wait, queue, payload)
	}
	return err
}

// NoWait returns 0. It is a value for [Retry].Wait.
//
// Ruby: wait: 0.
func NoWait(int) time.Duration { return 0 }

// PolynomiallyLonger returns n**4 + 2 seconds. It is a value for [Retry].Wait.
//
// Ruby: wait: :polynomially_longer, which adds jitter.
func PolynomiallyLonger(n int) time.Duration {
	return time.Duration(n*n*n*n+2) * time.Second
}
