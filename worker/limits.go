package worker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/goresque/goresque/resque"
)

// limits ends the contexts of jobs that take too long, and tells of those that
// go on all the same.
type limits struct {
	handler resque.Handler
	timeout time.Duration // for classes without one of their own
	stuck   *atomic.Int64
	log     *slog.Logger
}

// grace is what a job has to return after its context was ended, before it is
// reported as stuck.
const grace = 5 * time.Second

// watch returns the context that job is performed under, and what to call when
// it is over.
func (l limits) watch(ctx context.Context, job *resque.Reserved) (_ context.Context, release func()) {
	limit := l.limit(job.Class)
	if limit == 0 {
		return ctx, func() {}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &resque.TimeoutError{Class: job.Class, After: limit})
	alarm := l.alarm(job, limit)
	return ctx, func() {
		cancel()
		l.silence(alarm)
	}
}

// alarm reports job as stuck when it goes on after its context has ended, which
// is to be in a while.
func (l limits) alarm(job *resque.Reserved, in time.Duration) *time.Timer {
	return time.AfterFunc(in+grace, func() {
		l.stuck.Add(1)
		l.log.Warn("job is stuck: it goes on though its context has ended",
			"class", job.Class, "queue", job.Queue, "worker", job.Worker, "ended_before", grace)
	})
}

// silence is for a job that has returned.
func (l limits) silence(alarm *time.Timer) {
	if alarm != nil && !alarm.Stop() {
		l.stuck.Add(-1)
	}
}

// limit is how long a job of class may take; 0 is for ever.
func (l limits) limit(class string) time.Duration {
	if routes, ok := l.handler.(interface {
		Route(class string) (resque.Route, bool)
	}); ok {
		if r, ok := routes.Route(class); ok && r.Timeout > 0 {
			return r.Timeout
		}
	}
	return l.timeout
}
