package resquetest

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// definition is what those of packages resque and activejob have in common.
type definition interface {
	Class() string
	Queue() string
	UncheckedJob(args ...any) resque.Job
}

var (
	_ definition = resque.Definition0{}
	_ definition = activejob.Definition0{}
)

// want is a job as a test names it.
type want struct {
	class   string
	queue   string // empty means any
	anyArgs bool   // whatever the arguments
	args    []json.RawMessage
}

// wanted reads what a test has named.
func wanted(what any, args []any) (want, error) {
	switch what := what.(type) {
	case definition:
		if len(args) == 0 {
			return want{class: what.Class(), queue: what.Queue(), anyArgs: true}, nil
		}
		return wantedJob(what.UncheckedJob(args...))
	case resque.Job:
		if len(args) > 0 {
			return want{}, errors.New("a resque.Job has its arguments, and takes no others")
		}
		return wantedJob(what)
	default:
		return want{}, fmt.Errorf("a job is named by a definition or a resque.Job, not by a %T", what)
	}
}

// wantedJob is a job as it would stand in its queue.
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

// is tells whether job has the class and the arguments, on whichever queue.
func (w want) is(job *resque.Payload) bool {
	return job.Class == w.class && (w.anyArgs || sameArgs(w.args, job.Args))
}

func (w want) on(queue string) bool { return w.queue == "" || queue == w.queue }

// difference is what keeps a job from being the wanted one; empty where nothing
// in it is like it.
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

// String names the job in messages.
func (w want) String() string {
	if w.anyArgs {
		return w.class
	}
	return jobText(&resque.Payload{Class: w.class, Args: w.args})
}

// place names the queue in messages.
func (w want) place() string {
	if w.queue == "" {
		return "any queue"
	}
	return fmt.Sprintf("queue %q", w.queue)
}
