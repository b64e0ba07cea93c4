package resquetest

import (
	"context"
	"errors"
	"sync"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// record wraps the handler. It counts the jobs and collects the failures.
type record struct {
	handler resque.Handler
	most    int
	tooMany context.CancelFunc

	mu     sync.Mutex
	count  int
	jobs   lines
	failed []error
}

var (
	_ resque.Handler        = (*record)(nil)
	_ resque.FailureBackend = (*record)(nil)
)

// Perform counts job, and stops the worker if there are too many jobs.
func (r *record) Perform(ctx context.Context, job *resque.Payload) error {
	r.mu.Lock()
	r.jobs.add(true, job.Queue+": "+job.Class)
	if r.count++; r.count > r.most {
		r.tooMany()
	}
	r.mu.Unlock()
	return r.handler.Perform(ctx, job)
}

// Unwrap calls the handler's Unwrap.
func (r *record) Unwrap(job *resque.Payload) (*resque.Payload, error) {
	return resque.Unwrap(r.handler, job)
}

// Route calls the handler's Route, if it has one.
func (r *record) Route(class string) (route resque.Route, ok bool) {
	routes, has := r.handler.(interface {
		Route(class string) (resque.Route, bool)
	})
	if !has {
		return resque.Route{}, false
	}
	return routes.Route(class)
}

// Save adds a failure.
func (r *record) Save(_ context.Context, f resque.Failure) error {
	job, err := resque.ParsePayload(f.Queue, f.Payload)
	if err != nil {
		job = &resque.Payload{Queue: f.Queue, Raw: f.Payload}
	}
	job, _ = activejob.Unwrap(job)
	job.Worker = f.Worker
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, &JobError{Job: job, Failure: f})
	return nil
}

func (r *record) excess() (classes string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.jobs.text(), r.count > r.most
}

func (r *record) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.failed...)
}
