package resque

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ExpireAfter returns a setting for jobs that are of no use if they wait too long, such as a
// code that is valid for ten minutes. A job that has waited longer than limit when a worker
// begins it is not performed: it is dropped as with [ErrDontPerform], and the worker logs an
// [*ExpiredError]. limit must be more than 0.
//
// The wait is counted from [Payload.WaitingSince], on the clock of the worker's machine. The
// setting adds the time to the payloads of the definition's jobs, as [StampEnqueuedAt] does; so
// programs that compare bytes do not find them. For a delayed job the wait begins when it is due.
// Retries and requeued jobs count from the first time. A job without the time, such as one that
// Ruby enqueued without Rails, does not expire.
//
// Sidekiq calls it expires_in.
func ExpireAfter(limit time.Duration) Setting { return expireAfter(limit) }

type expireAfter time.Duration

const errShortExpiry settingError = "ExpireAfter must be more than 0"

func (limit expireAfter) Apply(s *Settings) error {
	if limit <= 0 {
		return errShortExpiry
	}
	return errors.Join(EnqueueMiddleware(StampEnqueuedAt).Apply(s), Middleware(limit.check).Apply(s))
}

func (limit expireAfter) check(next Handler) Handler {
	return HandlerFunc(func(ctx context.Context, job *Payload) error {
		if since, ok := job.WaitingSince(); ok {
			if waited := time.Since(since); waited > time.Duration(limit) {
				return &ExpiredError{Class: job.Class, Waited: waited, Limit: time.Duration(limit)}
			}
		}
		return next.Perform(ctx, job)
	})
}

// ExpiredError reports a job that was not performed because of [ExpireAfter]. errors.Is
// reports it as ErrDontPerform.
type ExpiredError struct {
	Class  string
	Waited time.Duration
	Limit  time.Duration
}

func (e *ExpiredError) Error() string {
	return fmt.Sprintf("%s: expired: it has waited %v, longer than %v", e.Class, e.Waited.Round(time.Second), e.Limit)
}

// Is reports whether target is ErrDontPerform.
func (e *ExpiredError) Is(target error) bool { return target == ErrDontPerform }
