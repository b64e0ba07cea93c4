package activejob

import (
	"context"
	"fmt"

	"github.com/goresque/goresque/resque"
)

// definition has the settings in a definition of package resque.
type definition struct{ plain resque.Definition0 }

func define(class, queue string, settings []resque.Setting) definition {
	if class == "" || queue == "" {
		panic(fmt.Sprintf("activejob: Define: a class and a queue are needed, got %q, %q", class, queue))
	}
	return definition{resque.Define0(class, queue, settings...)}
}

// Class is the job's class, as Rails spells it.
func (d definition) Class() string { return d.plain.Class() }

// Queue is where Job places it: with the app's prefix, if it has one.
func (d definition) Queue() string { return d.plain.Queue() }

// UncheckedJob returns a job whose arguments the compiler has not checked: for tools
// that have a definition by an interface.
func (d definition) UncheckedJob(args ...any) resque.Job { return d.job(args...) }

func (d definition) job(args ...any) resque.Job { return wrap(d.plain.UncheckedJob(args...)) }

func (d definition) route(none bool, perform resque.HandlerFunc) resque.Route {
	if none {
		perform = nil
	}
	r := d.plain.UncheckedHandler(perform)
	r.Wrapper = wrapper()
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
