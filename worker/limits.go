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
// the handler has returned.
func (l limits) watch(ctx context.Context, job *resque.Reserved) (_ context.Context, release func()) {
	limit := l.limit(job.Class)
	if limit == 0 {
		return ctx, func() {}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &resque.TimeoutError{Class: job.Class, After: limit})
	alarm := time.AfterFunc(limit+grace, func() {
		l.stuck.Add(1)
		l.log.Warn("job is stuck: it goes on though its context has ended",
			"class", job.Class, "queue", job.Queue, "worker", job.Worker, "duration", limit+grace)
	})
	return ctx, func() {
		cancel()
		if !alarm.Stop() {
			l.stuck.Add(-1)
		}
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
