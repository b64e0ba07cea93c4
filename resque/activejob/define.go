package activejob

import (
	"context"
	"fmt"

	"github.com/goresque/goresque/resque"
)

// definition wraps a definition of package resque, which holds the settings.
type definition struct {
	plain   resque.Definition0
	wrapper *resque.Wrapper
}

func define(class, queue string, settings []resque.Setting) definition {
	if class == "" || queue == "" {
		panic(fmt.Sprintf("activejob: Define: a class and a queue are needed, got %q, %q", class, queue))
	}
	wrapper := wrapper(settings)
	return definition{resque.DefineWrapped(class, queue, wrapper, settings...), wrapper}
}

// Class returns the name of the Rails class.
func (d definition) Class() string { return d.plain.Class() }

// Queue returns the name of the queue, including the prefix of the Rails app if it has
// one.
func (d definition) Queue() string { return d.plain.Queue() }

// UncheckedJob returns a job whose arguments the compiler does not check. It is for
// tools that use a definition through an interface.
func (d definition) UncheckedJob(args ...any) resque.Job { return d.job(args...) }

func (d definition) job(args ...any) resque.Job { return d.wrapper.Wrap(d.plain.UncheckedJob(args...)) }

func (d definition) route(none bool, targets func() []any, perform resque.HandlerFunc) resque.Route {
	if none {
		perform = nil
	}
	r := d.plain.UncheckedHandler(perform)
	r.Check = func(job *resque.Payload) error { return Bind(job, targets()...) }
	r.Wrapper = d.wrapper
	return r
}

// Route returns a route whose handler fn performs the jobs of a Rails class. Unlike a
// definition's handler, fn decodes the arguments itself, with [Bind] or [Values]. Route
// panics if a setting is invalid.
func Route(class string, fn func(ctx context.Context, job *resque.Payload) error, settings ...resque.Setting) resque.Route {
	r := resque.NewRoute(class, fn, settings...)
	r.Wrapper = wrapper(settings)
	return r
}
