package resquetest

import (
	"context"
	"errors"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// RequireEnqueued requires that a job is waiting, and returns the first such. It
// must be on the definition's queue, or that of the resque.Job; one without a queue
// may be on any, and one whose Args are nil has any arguments.
func RequireEnqueued(t TB, client *resque.Client, what any, args ...any) *resque.Payload {
	t.Helper()
	job := findEnqueued(t, client, what, args)
	if job == nil {
		t.FailNow()
	}
	return job
}

// AssertEnqueued is RequireEnqueued for tests that go on.
func AssertEnqueued(t TB, client *resque.Client, what any, args ...any) bool {
	t.Helper()
	return findEnqueued(t, client, what, args) != nil
}

// RequireNotEnqueued requires that no such job is waiting, on no queue at all.
func RequireNotEnqueued(t TB, client *resque.Client, what any, args ...any) {
	t.Helper()
	if !AssertNotEnqueued(t, client, what, args...) {
		t.FailNow()
	}
}

// AssertNotEnqueued is RequireNotEnqueued for tests that go on.
func AssertNotEnqueued(t TB, client *resque.Client, what any, args ...any) bool {
	t.Helper()
	w, jobs, err := lookFor(t, client, what, args)
	if err != nil {
		t.Errorf("resquetest: %v", err)
		return false
	}
	var found lines
	for _, job := range jobs {
		if w.is(job) {
			found.add(true, job.Queue+": "+jobText(job))
		}
	}
	if found.near == nil {
		return true
	}
	t.Errorf("%v is waiting, and should not be:%s", w, found.text())
	return false
}

// Enqueued are the jobs of that name that wait, in the order in which a worker of
// all queues takes them. Of a job of Rails, Class and Args are those inside, for
// activejob.Bind and DataOf.
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

// Jobs are all that wait, on the queues given or on all of them, as Enqueued has
// them. One whose payload is no job has only its queue and its payload.
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

// findEnqueued is nil, and has told why, where there is no such job.
func findEnqueued(t TB, client *resque.Client, what any, args []any) *resque.Payload {
	t.Helper()
	w, jobs, err := lookFor(t, client, what, args)
	if err != nil {
		t.Errorf("resquetest: %v", err)
		return nil
	}
	var others lines
	for _, job := range jobs {
		if w.is(job) && w.on(job.Queue) {
			return job
		}
		difference := w.difference(job)
		others.add(difference != "", job.Queue+": "+jobText(job)+difference)
	}
	if len(jobs) == 0 {
		t.Errorf("%v is not waiting on %s: nothing is waiting.%s", w, w.place(), alsoFailed(t, client))
	} else {
		t.Errorf("%v is not waiting on %s. What is:%s%s", w, w.place(), others.text(), alsoFailed(t, client))
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

var errInline = errors.New("this client is inline: it performs jobs at once, and none ever waits or is recorded as failed")

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
