package worker

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/goresque/goresque/resque"
)

// timeouts ends the contexts of jobs that exceed their time limit, and reports jobs
// that still run after that.
type timeouts struct {
	handler resque.Handler
	timeout time.Duration // for classes without their own
	stuck   *atomic.Int64
	log     *slog.Logger
}

// grace is how long a job may run after its context ended before it is reported as
// stuck.
const grace = 5 * time.Second

// watch makes the context of a job end at its time limit. It returns the alarm of the job,
// to stop when the job has ended; nil if it has no limit.
func (t timeouts) watch(ctx *jobContext) *time.Timer {
	limit := t.limit(ctx.job.Class)
	if limit == 0 {
		return nil
	}
	ctx.limit(limit, &resque.TimeoutError{Class: ctx.job.Class, After: limit})
	return t.alarm(ctx.job, limit)
}

// alarm returns a timer that reports job as stuck, grace after its context ends,
// which is after the duration in.
func (t timeouts) alarm(job *resque.Payload, in time.Duration) *time.Timer {
	return time.AfterFunc(in+grace, func() {
		t.stuck.Add(1)
		t.log.Warn("job is stuck: it still runs after its context ended",
			"class", job.Class, "queue", job.Queue, "worker", job.Worker, "ended_before", grace)
	})
}

// stopAlarm stops the alarm of a job that has ended. alarm may be nil.
func (t timeouts) stopAlarm(alarm *time.Timer) {
	if alarm != nil && !alarm.Stop() {
		t.stuck.Add(-1)
	}
}

// limit returns the time limit of a job of class; 0 means no limit.
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
