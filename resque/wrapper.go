package resque

import (
	"fmt"
	"runtime/debug"
)

// Wrapper describes a class whose jobs contain a job of another class. For example,
// Rails wraps all jobs of ActiveJob in one class. The inner job is performed, and logs,
// limits and middleware use its class. Its Raw is still the payload that was in the
// queue.
type Wrapper struct {
	// Class is the class of the outer job.
	Class string

	// Unwrap returns the inner job of a payload: a copy with its Class and Args
	// replaced and all else unchanged.
	Unwrap func(*Payload) (*Payload, error)

	// Wrap returns the job to enqueue for an inner job. [Route.Job] calls it. If it is
	// nil, Route.Job returns the inner job.
	Wrap func(Job) Job
}

// wrap registers the wrapper of a route. Several routes may have the same wrapper.
func (m *Mux) wrap(r Route) {
	switch w := r.Wrapper; {
	case w == nil:
	case w.Class == "" || w.Unwrap == nil:
		panic(fmt.Sprintf("resque: Handle: wrapper of class %q has no Class or no Unwrap", r.Class))
	case m.routes[w.Class].Handler != nil || w.Class == r.Class:
		panic(fmt.Sprintf("resque: Handle: class %q cannot wrap %q: it has a handler", w.Class, r.Class))
	case m.wrappers[w.Class] == nil:
		m.wrappers[w.Class] = w
	}
}

// Unwrap returns the job inside job, or job if its class is not a [Wrapper].
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

// Unwrap returns the job that h performs for job. If h has an Unwrap method, as a [Mux]
// does, it returns the result of that method, and job otherwise. If the method panics,
// it returns a [*PanicError].
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
