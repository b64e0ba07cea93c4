package resquetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// definition has the common methods of the definitions of packages resque and activejob.
type definition interface {
	Class() string
	Queue() string
	UncheckedJob(args ...any) resque.Job
}

var (
	_ definition = resque.Definition0{}
	_ definition = activejob.Definition0{}
)

// want describes the job that a test wants.
type want struct {
	class   string
	queue   string // empty means any
	anyArgs bool   // any arguments match
	args    []json.RawMessage
}

// wanted returns the want for the arguments of a helper.
func wanted(what any, args []any) (want, error) {
	switch what := what.(type) {
	case definition:
		if len(args) == 0 {
			return want{class: what.Class(), queue: what.Queue(), anyArgs: true}, nil
		}
		return wantedJob(what.UncheckedJob(args...))
	case resque.Job:
		if len(args) > 0 {
			return want{}, errors.New("a resque.Job has its own arguments, pass no others")
		}
		return wantedJob(what)
	default:
		return want{}, fmt.Errorf("a job must be a definition or a resque.Job, not a %T", what)
	}
}

// wantedJob returns the want for job, encoded as it would be in its queue.
func wantedJob(job resque.Job) (want, error) {
	payload, err := job.Encode()
	if err != nil {
		return want{}, err
	}
	r, err := resque.ParsePayload(job.Queue, payload)
	if err != nil {
		return want{}, err
	}
	inside, _ := activejob.Unwrap(r)
	return want{class: inside.Class, queue: job.Queue, anyArgs: job.Args == nil, args: inside.Args}, nil
}

// is reports whether job has the class and the arguments, on any queue.
func (w want) is(job *resque.Payload) bool {
	return job.Class == w.class && (w.anyArgs || sameArgs(w.args, job.Args))
}

func (w want) on(queue string) bool { return w.queue == "" || queue == w.queue }

// difference returns why job is not the wanted one, or "" if its class is another one.
func (w want) difference(job *resque.Payload) string {
	switch {
	case job.Class != w.class:
		return ""
	case !w.is(job):
		return "  ← other arguments"
	case !w.on(job.Queue):
		return "  ← on another queue"
	}
	return ""
}

// find returns the index of the first of jobs that matches. If there is none, it reports
// an error that says what is not there and lists the others, and returns -1.
func (w want) find(t TB, client *resque.Client, jobs []*resque.Payload, wanted, others string) int {
	t.Helper()
	var there lines
	for i, job := range jobs {
		if w.is(job) && w.on(job.Queue) {
			return i
		}
		difference := w.difference(job)
		there.add(difference != "", job.Queue+": "+jobText(job)+difference)
	}
	if len(jobs) == 0 {
		t.Errorf("%v is not %s %s. No job is %s.%s", w, wanted, w.place(), strings.ToLower(others), alsoFailed(t, client))
	} else {
		t.Errorf("%v is not %s %s. %s jobs:%s%s", w, wanted, w.place(), others, there.text(), alsoFailed(t, client))
	}
	return -1
}

// missing reports whether none of jobs matches, on any queue, and otherwise reports an
// error.
func (w want) missing(t TB, jobs []*resque.Payload, state string) bool {
	t.Helper()
	var found lines
	for _, job := range jobs {
		if w.is(job) {
			found.add(true, job.Queue+": "+jobText(job))
		}
	}
	if found.near == nil {
		return true
	}
	t.Errorf("%v should not be %s:%s", w, state, found.text())
	return false
}

// String returns the job as messages show it.
func (w want) String() string {
	if w.anyArgs {
		return w.class
	}
	return jobText(&resque.Payload{Class: w.class, Args: w.args})
}

// place returns the queue as messages show it.
func (w want) place() string {
	if w.queue == "" {
		return "any queue"
	}
	return fmt.Sprintf("queue %q", w.queue)
}
