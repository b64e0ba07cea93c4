package resquetest

import (
	"fmt"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// RequireFailed requires that a failure of a job is recorded, as workers and PerformAll
// do, and returns the newest one. The job is given as for RequireEnqueued.
func RequireFailed(t TB, client *resque.Client, what any, args ...any) resque.FailedJob {
	t.Helper()
	failure, ok := findFailed(t, client, what, args)
	if !ok {
		t.FailNow()
	}
	return failure
}

// AssertFailed is like RequireFailed, but returns false instead of stopping the test.
func AssertFailed(t TB, client *resque.Client, what any, args ...any) bool {
	t.Helper()
	_, ok := findFailed(t, client, what, args)
	return ok
}

// RequireNoFailures requires that no failure is recorded.
func RequireNoFailures(t TB, client *resque.Client) {
	t.Helper()
	if !AssertNoFailures(t, client) {
		t.FailNow()
	}
}

// AssertNoFailures is like RequireNoFailures, but returns false instead of stopping the
// test.
func AssertNoFailures(t TB, client *resque.Client) bool {
	t.Helper()
	all, err := failures(t, client)
	if err != nil {
		t.Errorf("resquetest: %v", err)
		return false
	}
	if len(all) == 0 {
		return true
	}
	var found lines
	for _, f := range all {
		found.add(true, f.text())
	}
	t.Errorf("No job should have failed. Failures:%s", found.text())
	return false
}

// failed is a failure and its job. Of a Rails job, it is the job inside the wrapper.
type failed struct {
	resque.FailedJob
	job *resque.Payload
}

func (f failed) text() string {
	return f.Queue + ": " + jobText(f.job) + ": " + cut(f.Exception+": "+f.Error)
}

// failures returns all recorded failures, the newest first.
func failures(t TB, client *resque.Client) (all []failed, err error) {
	t.Helper()
	if client.Redis() == nil {
		return nil, errInline
	}
	ctx, cancel := during(t)
	defer cancel()
	for failure, err := range client.Failures().Newest(ctx, resque.FailureFilter{}) {
		if err != nil {
			return nil, err
		}
		f := failed{failure, &resque.Payload{Class: failure.Class, Args: failure.Args, Queue: failure.Queue, Raw: failure.Payload}}
		if inside, ok := activejob.Failed(failure); ok {
			f.job = inside
		}
		all = append(all, f)
	}
	return all, nil
}

func findFailed(t TB, client *resque.Client, what any, args []any) (failure resque.FailedJob, ok bool) {
	t.Helper()
	w, err := wanted(what, args)
	var all []failed
	if err == nil {
		all, err = failures(t, client)
	}
	if err != nil {
		t.Errorf("resquetest: %v", err)
		return failure, false
	}
	var others lines
	for _, f := range all {
		if w.is(f.job) && w.on(f.Queue) {
			return f.FailedJob, true
		}
		difference := w.difference(f.job)
		others.add(difference != "", f.text()+difference)
	}
	if len(all) == 0 {
		t.Errorf("%v has not failed on %s. No job has failed.", w, w.place())
	} else {
		t.Errorf("%v has not failed on %s. Failures:%s", w, w.place(), others.text())
	}
	return failure, false
}

// alsoFailed returns a hint for messages about a missing job: it may have failed.
func alsoFailed(t TB, client *resque.Client) string {
	t.Helper()
	all, err := failures(t, client)
	if err != nil || len(all) == 0 {
		return ""
	}
	return fmt.Sprintf("\nJobs that failed: %d. The last one: %s", len(all), all[0].text())
}
