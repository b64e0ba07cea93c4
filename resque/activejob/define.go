package activejob

import (
	"context"
	"time"

	"github.com/goresque/goresque/resque"
)

// A definition names a Rails job once for both sides, as those of package resque
// do for Resque's own.
//
//	// Ruby: class ExportJob < ApplicationJob; queue_as :exports; def perform(export_id)
//	var ExportJob = activejob.Define1[int64]("ExportJob", "exports")
//
// Definitions are immutable values and safe for concurrent use. They panic when
// the class or the queue is empty: a mistake of the program, found at its start.
type definition struct {
	class, queue string
	timeout      time.Duration
	enqueueing   []resque.EnqueueMiddleware
}

func define(class, queue string) definition {
	if class == "" || queue == "" {
		panic("activejob: Define: a class and a queue are needed, got " + `"` + class + `", "` + queue + `"`)
	}
	return definition{class: class, queue: queue}
}

// Class is the job's class, as Rails spells it.
func (d definition) Class() string { return d.class }

// Queue is where Job places it: with the app's prefix, if it has one.
func (d definition) Queue() string { return d.queue }

// UncheckedJob returns a job whose arguments the compiler has not checked: for tools
// that have a definition by an interface.
func (d definition) UncheckedJob(args ...any) resque.Job { return d.job(args...) }

func (d definition) job(args ...any) resque.Job {
	job := Job{Class: d.class, Queue: d.queue, Args: args}.Resque()
	if len(d.enqueueing) > 0 {
		job = job.EnqueueHooks(d.enqueueing...)
	}
	return job
}

func (d definition) route(none bool, perform resque.HandlerFunc) resque.Route {
	w := wrapper()
	if len(d.enqueueing) > 0 {
		w.Wrap = func(job resque.Job) resque.Job { return wrap(job).EnqueueHooks(d.enqueueing...) }
	}
	r := resque.Route{Class: d.class, Queue: d.queue, Timeout: d.timeout, Wrapper: w}
	if !none {
		r.Handler = perform
	}
	return r
}

// Route is the plain form beneath the definitions: fn performs the jobs of a
// Rails class, and takes their arguments with [Bind] or [Values].
func Route(class string, fn func(ctx context.Context, job *resque.Payload) error) resque.Route {
	r := resque.Route{Class: class, Wrapper: wrapper()}
	if fn != nil {
		r.Handler = resque.HandlerFunc(fn)
	}
	return r
}
