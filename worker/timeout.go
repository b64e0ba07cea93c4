package worker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/goresque/goresque/resque"
)

// timeouts ends the contexts of jobs that take too long, and reports jobs that go
// on after that.
type timeouts struct {
	handler resque.Handler
	timeout time.Duration // for classes without their own
	stuck   *atomic.Int64
	log     *slog.Logger
}

// grace is how long a job may go on after its context ended, before it is reported
// as stuck.
const grace = 5 * time.Second

// watch returns the context that job is performed under, and what to call when
// the job is over.
func (t timeouts) watch(ctx context.Context, job *resque.Payload) (_ context.Context, release func()) {
	limit := t.limit(job.Class)
	if limit == 0 {
		return ctx, func() {}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &resque.TimeoutError{Class: job.Class, After: limit})
	alarm := t.alarm(job, limit)
	return ctx, func() {
		cancel()
		t.stopAlarm(alarm)
	}
}

// alarm reports job as stuck unless it is over soon after its context ends, which
// is in a while.
func (t timeouts) alarm(job *resque.Payload, in time.Duration) *time.Timer {
	return time.AfterFunc(in+grace, func() {
		t.stuck.Add(1)
		t.log.Warn("job is stuck: it goes on though its context has ended",
			"class", job.Class, "queue", job.Queue, "worker", job.Worker, "ended_before", grace)
	})
}

// stopAlarm is for a job that is over. alarm may be nil.
func (t timeouts) stopAlarm(alarm *time.Timer) {
	if alarm != nil && !alarm.Stop() {
		t.stuck.Add(-1)
	}
}

// limit returns how long a job of class may take; 0 is without limit.
func (t timeouts) limit(class string) time.Duration {
	if routes, ok := t.handler.(interface {
		Route(class string) (resque.Route, bool)
	}); ok {
		if r, ok := routes.Route(class); ok && r.Timeout > 0 {
			return r.Timeout
		}
	}
	return t.timeout
}
