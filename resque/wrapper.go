package resque

import (
	"fmt"
	"runtime/debug"
)

// Wrapper is a class whose jobs have others inside, of classes of their own: so
// Rails puts all jobs of ActiveJob into one class. Such a job is performed, and
// named in logs, limits and middleware, as the one inside it; its payload stays
// what stood in the queue.
type Wrapper struct {
	Class string

	// Unwrap returns the job inside: with another Class and other Args, and else
	// as it was given.
	Unwrap func(*Payload) (*Payload, error)

	// Wrap returns the job to enqueue for one of a class in it, as Route.Job
	// makes it. nil leaves it as it is.
	Wrap func(Job) Job
}

// wrap registers the wrapper of a route, once for all the routes in it.
func (m *Mux) wrap(r Route) {
	switch w := r.Wrapper; {
	case w == nil:
	case w.Class == "" || w.Unwrap == nil:
		panic(fmt.Sprintf("resque: Handle: the wrapper of class %q lacks a class or a function", r.Class))
	case m.routes[w.Class].Handler != nil || w.Class == r.Class:
		panic(fmt.Sprintf("resque: Handle: class %q is registered already, and cannot have %q inside", w.Class, r.Class))
	case m.wrappers[w.Class] == nil:
		m.wrappers[w.Class] = w
	}
}

// Unwrap is the job inside job, or job itself where its class is no wrapper.
func (m *Mux) Unwrap(job *Payload) (*Payload, error) {
	w := m.wrappers[job.Class]
	if w == nil {
		return job, nil
	}
	inside, err := w.Unwrap(job)
	if err != nil {
		return nil, err
	}
	return inside, nil
}

// Unwrap is the job that h would perform for job: the one inside it where h has
// an Unwrap of its own, as a [Mux] has, and job itself otherwise. A panic is
// returned as a *PanicError.
func Unwrap(h Handler, job *Payload) (inside *Payload, err error) {
	u, ok := h.(interface {
		Unwrap(job *Payload) (*Payload, error)
	})
	if !ok {
		return job, nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return u.Unwrap(job)
}
