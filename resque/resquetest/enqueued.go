package resquetest

import (
	"context"
	"errors"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// RequireEnqueued requires that a job is waiting, and returns the first one. The job must
// be on the queue of the definition or of the resque.Job. If the resque.Job has no queue,
// it may be on any queue; if its Args are nil, it may have any arguments.
func RequireEnqueued(t TB, client *resque.Client, what any, args ...any) *resque.Payload {
	t.Helper()
	job := findEnqueued(t, client, what, args)
	if job == nil {
		t.FailNow()
	}
	return job
}

// AssertEnqueued is like RequireEnqueued, but returns false instead of stopping the test.
func AssertEnqueued(t TB, client *resque.Client, what any, args ...any) bool {
	t.Helper()
	return findEnqueued(t, client, what, args) != nil
}

// RequireNotEnqueued requires that the job is not waiting on any queue.
func RequireNotEnqueued(t TB, client *resque.Client, what any, args ...any) {
	t.Helper()
	if !AssertNotEnqueued(t, client, what, args...) {
		t.FailNow()
	}
}

// AssertNotEnqueued is like RequireNotEnqueued, but returns false instead of stopping the
// test.
func AssertNotEnqueued(t TB, client *resque.Client, what any, args ...any) bool {
	t.Helper()
	w, jobs, err := lookFor(t, client, what, args)
	if err != nil {
		t.Errorf("resquetest: %v", err)
		return false
	}
	return w.missing(t, jobs, "waiting")
}

// Enqueued returns the waiting jobs that match, in the order in which a worker of all
// queues takes them. Of a Rails job, Class and Args are those of the job inside, for
// activejob.Bind and activejob.DataOf.
func Enqueued(t TB, client *resque.Client, what any, args ...any) []*resque.Payload {
	t.Helper()
	w, jobs, err := lookFor(t, client, what, args)
	if err != nil {
		fatal(t, "%v", err)
	}
	var found []*resque.Payload
	for _, job := range jobs {
		if w.is(job) && w.on(job.Queue) {
			found = append(found, job)
		}
	}
	return found
}

// Jobs returns all waiting jobs of the given queues, or of all queues, as Enqueued does.
// If a payload is not a job, only Queue and Raw are set.
func Jobs(t TB, client *resque.Client, queues ...string) []*resque.Payload {
	t.Helper()
	ctx, cancel := during(t)
	defer cancel()
	jobs, err := waiting(ctx, client, queues)
	if err != nil {
		fatal(t, "%v", err)
	}
	return jobs
}

// findEnqueued returns the first waiting job that matches, or reports an error and
// returns nil.
func findEnqueued(t TB, client *resque.Client, what any, args []any) *resque.Payload {
	t.Helper()
	w, jobs, err := lookFor(t, client, what, args)
	if err != nil {
		t.Errorf("resquetest: %v", err)
		return nil
	}
	if at := w.find(t, client, jobs, "waiting on", "Waiting"); at >= 0 {
		return jobs[at]
	}
	return nil
}

func lookFor(t TB, client *resque.Client, what any, args []any) (w want, jobs []*resque.Payload, err error) {
	t.Helper()
	if w, err = wanted(what, args); err != nil {
		return w, nil, err
	}
	ctx, cancel := during(t)
	defer cancel()
	jobs, err = waiting(ctx, client, nil)
	return w, jobs, err
}

var errInline = errors.New("this client is inline: it performs jobs at once, so no job is waiting or recorded as failed")

func waiting(ctx context.Context, client *resque.Client, queues []string) (jobs []*resque.Payload, err error) {
	if client.Redis() == nil {
		return nil, errInline
	}
	if len(queues) == 0 {
		if queues, err = client.Queues(ctx); err != nil {
			return nil, err
		}
	}
	for _, queue := range queues {
		for job, err := range client.Peek(ctx, queue, 0, -1) {
			var unreadable *resque.UnreadableError
			if err != nil && !errors.As(err, &unreadable) {
				return nil, err
			}
			if inside, ok := activejob.Unwrap(job); ok {
				job = inside
			}
			jobs = append(jobs, job)
		}
	}
	return jobs, nil
}
