package resquetest

import (
	"time"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// ScheduledJob is a delayed job. Of a Rails job, Class and Args of the Payload are those
// of the job inside.
type ScheduledJob struct {
	*resque.Payload // as it will be in its queue
	Due             time.Time
}

// RequireScheduled requires that a job is delayed, and returns the first one that is due.
// It compares jobs as [RequireEnqueued] does.
func RequireScheduled(t TB, client *resque.Client, what any, args ...any) ScheduledJob {
	t.Helper()
	job, ok := findScheduled(t, client, what, args)
	if !ok {
		t.FailNow()
	}
	return job
}

// AssertScheduled is like RequireScheduled, but returns false instead of stopping the test.
func AssertScheduled(t TB, client *resque.Client, what any, args ...any) bool {
	t.Helper()
	_, ok := findScheduled(t, client, what, args)
	return ok
}

// RequireNotScheduled requires that the job is not delayed for any queue.
func RequireNotScheduled(t TB, client *resque.Client, what any, args ...any) {
	t.Helper()
	if !AssertNotScheduled(t, client, what, args...) {
		t.FailNow()
	}
}

// AssertNotScheduled is like RequireNotScheduled, but returns false instead of stopping
// the test.
func AssertNotScheduled(t TB, client *resque.Client, what any, args ...any) bool {
	t.Helper()
	w, jobs, err := lookForScheduled(t, client, what, args)
	if err != nil {
		t.Errorf("resquetest: %v", err)
		return false
	}
	return w.missing(t, payloads(jobs), "delayed")
}

// Scheduled returns the delayed jobs that match, in the order in which they are due.
func Scheduled(t TB, client *resque.Client, what any, args ...any) []ScheduledJob {
	t.Helper()
	w, jobs, err := lookForScheduled(t, client, what, args)
	if err != nil {
		fatal(t, "%v", err)
	}
	var found []ScheduledJob
	for _, job := range jobs {
		if w.is(job.Payload) && w.on(job.Queue) {
			found = append(found, job)
		}
	}
	return found
}

// RunScheduled moves all delayed jobs to their queues, whenever they are due, the earliest
// first, and returns their number. [PerformAll] then performs them.
func RunScheduled(t TB, client *resque.Client) int64 {
	t.Helper()
	if client.Redis() == nil {
		fatal(t, "%v", errInline)
	}
	ctx, cancel := during(t)
	defer cancel()
	p, err := client.Delayed().RunAll(ctx, resque.DelayedFilter{All: true}, nil)
	if err != nil {
		fatal(t, "%v", err)
	}
	return p.Done
}

func findScheduled(t TB, client *resque.Client, what any, args []any) (job ScheduledJob, ok bool) {
	t.Helper()
	w, jobs, err := lookForScheduled(t, client, what, args)
	if err != nil {
		t.Errorf("resquetest: %v", err)
		return ScheduledJob{}, false
	}
	at := w.find(t, client, payloads(jobs), "delayed for", "Delayed")
	if at < 0 {
		return ScheduledJob{}, false
	}
	return jobs[at], true
}

func lookForScheduled(t TB, client *resque.Client, what any, args []any) (w want, jobs []ScheduledJob, err error) {
	t.Helper()
	if w, err = wanted(what, args); err != nil {
		return w, nil, err
	}
	if client.Redis() == nil {
		return w, nil, errInline
	}
	ctx, cancel := during(t)
	defer cancel()
	for delayed, err := range client.Delayed().Jobs(ctx, resque.DelayedFilter{}) {
		if err != nil {
			return w, nil, err
		}
		job := &resque.Payload{Class: delayed.Class, Queue: delayed.Queue, Args: delayed.Args, Raw: delayed.Payload()}
		if inside, ok := activejob.Unwrap(job); ok {
			job = inside
		}
		jobs = append(jobs, ScheduledJob{job, delayed.Due})
	}
	return w, jobs, nil
}

func payloads(jobs []ScheduledJob) []*resque.Payload {
	all := make([]*resque.Payload, len(jobs))
	for i, job := range jobs {
		all[i] = job.Payload
	}
	return all
}
