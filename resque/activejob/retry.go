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

// Retry is a retry_on: a job whose handler returns one of certain errors is
// enqueued again, its attempts counted where Rails counts them, so that Ruby and
// Go workers agree on how many are left. Once they are used up, or for any other
// error, the job fails as it would without. A job that Rails did not wrap is not
// retried, nor one whose context was ended by something other than its time
// limit.
//
// The next attempt is enqueued before this one ends: a worker that dies between
// the two leaves the job in hand to be settled, and there is one attempt more.
//
// Ruby: ActiveJob::Exceptions.retry_on.
type Retry struct {
	// Client enqueues the attempts. It is required.
	Client *resque.Client

	// Exceptions are the classes that retry_on is given in Rails, in its order:
	// together they are the name under which attempts are counted. An error fits
	// by its ExceptionName. Defaults to StandardError, which fits every error.
	Exceptions []string

	// Match chooses the errors instead, where it is set.
	Match func(error) bool

	// Attempts is how many there may be in all. Defaults to 5.
	Attempts int

	// Wait is how long before the next attempt, n of them having failed. Defaults
	// to 3 seconds, as in Rails, where Later is set, and else to none.
	Wait func(n int) time.Duration

	// Later enqueues an attempt that has to wait. Without it, an attempt that has
	// to wait is an error, and the job fails.
	Later func(ctx context.Context, at time.Time, queue string, payload []byte) error

	// Queue and Priority are the next attempt's, where they are set.
	Queue    string
	Priority *int
}

// Middleware retries a route's jobs so, by the route's Use, or by the mux's those
// of every class. Of several around one handler the innermost is asked first. It
// panics without a Client.
func (r Retry) Middleware(next resque.Handler) resque.Handler {
	if next == nil {
		return nil // Handle panics over that
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

// fits tells whether err is one of those to retry. What the worker has ended is
// not, as a SignalException is no StandardError in Ruby.
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

// key is the text of Ruby's array of classes.
func (r Retry) key() string {
	if len(r.Exceptions) == 0 {
		return "[StandardError]"
	}
	return strings.ToValidUTF8("["+strings.Join(r.Exceptions, ", ")+"]", "\uFFFD")
}

// attempts is how many there have been, this one included.
//
// Ruby: ActiveJob::Exceptions#executions_for.
func (r Retry) attempts(data Data) int {
	raw, _ := data.Member("exception_executions")
	if _, ok := rubyjson.Members(raw); !ok { // null, or not what Rails writes
		return data.Executions + 1
	}
	return data.Exceptions[r.key()] + 1
}

// enqueueTimeout bounds the enqueueing of an attempt: the job's own context may
// have ended.
const enqueueTimeout = 15 * time.Second

func (r Retry) enqueue(ctx context.Context, job *resque.Payload, data Data) error {
	ctx, cancel := context.WithTimeout(ctx, enqueueTimeout)
	defer cancel()
	var wait time.Duration
	switch {
	case r.Wait != nil:
		wait = r.Wait(r.attempts(data))
	case r.Later != nil:
		wait = 3 * time.Second
	}
	now := time.Now()
	payload, err := advance{r.key(), now, wait, r.Queue, r.Priority}.next(job.Raw)
	if err != nil {
		return err
	}
	queue := cmp.Or(r.Queue, data.Queue, job.Queue)
	switch {
	case wait <= 0:
		_, err = r.Client.EnqueuePayload(ctx, queue, payload)
	case r.Later == nil:
		err = errors.New("there is a Wait, but no Later to enqueue the job by")
	default:
		err = r.Later(ctx, now.Add(wait), queue, payload)
	}
	return err
}

// PolynomiallyLonger is a Wait of Rails: n**4 + 2 seconds, without its jitter.
func PolynomiallyLonger(n int) time.Duration {
	return time.Duration(n*n*n*n+2) * time.Second
}
