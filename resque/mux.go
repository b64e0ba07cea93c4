package resque

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/goresque/goresque/internal/policy"
)

// Handler performs jobs. Perform is called by many goroutines at once. If it returns an
// error or panics, the job fails and is recorded as [NewFailure] describes.
//
// Ruby: self.perform of a job's class.
type Handler interface {
	Perform(ctx context.Context, job *Payload) error
}

// HandlerFunc is an adapter to use a function as a [Handler].
type HandlerFunc func(ctx context.Context, job *Payload) error

var _ Handler = HandlerFunc(nil)

// Perform calls f.
func (f HandlerFunc) Perform(ctx context.Context, job *Payload) error { return f(ctx, job) }

// Middleware returns a handler that wraps next. It may pass another context to next.
//
// Ruby: the around_perform hooks.
type Middleware func(next Handler) Handler

// Route is a class with the handler that performs its jobs. The Handler methods of the
// definitions, such as [Definition1.Handler], return one.
type Route struct {
	Class   string
	Handler Handler

	// Queue is the queue of the class's jobs unless they set another. It may be empty.
	Queue string

	// Timeout limits how long a job may take. Then its context ends. Defaults to 0,
	// which means the worker's limit, if it has one.
	Timeout time.Duration

	// Check returns an [*ArityError] or an [*ArgumentError] if the handler cannot decode
	// the arguments of job. Commands that enqueue call it. The routes of definitions have
	// a Check. It is nil if only the handler knows its arguments.
	Check func(job *Payload) error

	// Wrapper describes the outer jobs that contain the class's jobs in the queue. It
	// is nil if the jobs are not wrapped.
	Wrapper *Wrapper

	failure  []FailureHook
	hooks    *clientHooks // of the definition
	policies policy.Set
}

// NewRoute returns the route of a class that fn performs, with settings. fn decodes the
// arguments with [Payload.Bind]. If fn is nil, [Mux.Handle] panics. NewRoute panics if a
// setting is invalid.
func NewRoute(class string, fn func(ctx context.Context, job *Payload) error, settings ...Setting) Route {
	if fn == nil {
		return settingsOf(class, settings, Settings{}).route(class, "", nil)
	}
	return settingsOf(class, settings, Settings{}).route(class, "", HandlerFunc(fn))
}

// Job returns a job of the route's class with arguments that the compiler does not
// check. Use it in commands that know classes only from a [Mux]. If the route's wrapper
// has a Wrap function, Job returns the wrapped job.
func (r Route) Job(args ...any) Job {
	job := Job{Queue: r.Queue, Class: r.Class, Args: args, hooks: r.hooks}
	if r.Wrapper != nil && r.Wrapper.Wrap != nil {
		return r.Wrapper.Wrap(job)
	}
	return job
}

// Use returns a copy of the route whose handler is wrapped in middleware. The first is
// outermost, inside of the middleware of the mux. Use panics if one is nil.
func (r Route) Use(middleware ...Middleware) Route {
	for _, wrap := range slices.Backward(middleware) {
		if wrap == nil {
			panic(fmt.Sprintf("resque: Use: nil middleware for class %q", r.Class))
		}
		r.Handler = wrap(r.Handler)
	}
	return r
}

// OnFailure returns a copy of the route with hooks added that are called when one of its
// jobs has failed. They are called after the route's present hooks. OnFailure panics if
// one is nil.
func (r Route) OnFailure(hooks ...FailureHook) Route {
	for _, hook := range hooks {
		if hook == nil {
			panic(fmt.Sprintf("resque: OnFailure: nil hook for class %q", r.Class))
		}
	}
	r.failure = slices.Concat(r.failure, hooks)
	return r
}

// UnknownClassError reports a job of a class that is not registered.
type UnknownClassError struct{ Class string }

func (e *UnknownClassError) Error() string {
	return fmt.Sprintf("uninitialized constant %s (no Go handler is registered for this class)", e.Class)
}

// ExceptionName returns the class of this error in Ruby.
func (e *UnknownClassError) ExceptionName() string { return "NameError" }

// Mux performs each job with the handler that is registered for its class. Register all
// classes before a worker uses the mux. After that it is safe for concurrent use.
type Mux struct {
	routes     map[string]Route
	wrappers   map[string]*Wrapper
	middleware []Middleware
	sealed     atomic.Bool // see Seal
}

var _ Handler = (*Mux)(nil)

// NewMux returns an empty mux.
func NewMux() *Mux { return &Mux{routes: map[string]Route{}, wrappers: map[string]*Wrapper{}} }

// Use adds middleware to every class. The first is outermost. Use panics if a class is
// already registered, because the middleware would not apply to it.
func (m *Mux) Use(middleware ...Middleware) {
	if len(m.routes) > 0 {
		panic("resque: Use after Handle: call Use before the first class is registered")
	}
	for _, wrap := range middleware {
		if wrap == nil {
			panic("resque: Use: nil middleware")
		}
	}
	m.middleware = append(m.middleware, middleware...)
}

// Wraps reports whether class is a [Wrapper], such as that of Rails, whose jobs contain
// jobs of other classes. A wrapper cannot have a handler.
func (m *Mux) Wraps(class string) bool {
	_, ok := m.wrappers[class]
	return ok
}

// Handle registers a route. It panics if the class is empty or already registered, the
// handler is nil, or the mux is sealed; see [Mux.Seal].
func (m *Mux) Handle(r Route) {
	switch {
	case m.sealed.Load():
		panic(fmt.Sprintf("resque: Handle: class %q is registered too late: register all classes before a worker runs", r.Class))
	case r.Class == "":
		panic("resque: Handle: empty class")
	case r.Handler == nil:
		panic(fmt.Sprintf("resque: Handle: nil handler for class %q", r.Class))
	case m.routes[r.Class].Handler != nil:
		panic(fmt.Sprintf("resque: Handle: class %q is already registered", r.Class))
	case m.wrappers[r.Class] != nil:
		panic(fmt.Sprintf("resque: Handle: class %q is a wrapper and cannot have a handler", r.Class))
	}
	m.wrap(r)
	for _, wrap := range slices.Backward(m.middleware) {
		r.Handler = wrap(r.Handler)
	}
	m.routes[r.Class] = r
}

// HandleFunc registers fn for class with settings. Use it for classes without a
// definition; fn decodes the arguments with [Payload.Bind]. It panics as [Mux.Handle]
// does, and if a setting is invalid.
func (m *Mux) HandleFunc(class string, fn func(ctx context.Context, job *Payload) error, settings ...Setting) {
	if fn == nil {
		panic(fmt.Sprintf("resque: HandleFunc: nil function for class %q", class))
	}
	m.Handle(NewRoute(class, fn, settings...))
}

// Seal makes [Mux.Handle] panic from now on, because jobs of a class that is registered
// later may already have failed. A worker seals its mux when it runs, and a mux that
// performs a job seals itself.
func (m *Mux) Seal() { m.sealed.Store(true) }

// Perform performs job, or the job inside it, with the handler of its class. If the class
// is not registered, it returns an [*UnknownClassError].
func (m *Mux) Perform(ctx context.Context, job *Payload) error {
	if !m.sealed.Load() {
		m.Seal()
	}
	if m.wrappers[job.Class] != nil { // the caller has not unwrapped it
		inside, err := m.Unwrap(job)
		if err != nil {
			return err
		}
		ctx, job = WithPayload(ctx, inside), inside
	}
	r, ok := m.routes[job.Class]
	if !ok {
		return &UnknownClassError{Class: job.Class}
	}
	return r.Handler.Perform(ctx, job)
}

// Route returns the route of a class. ok is false if the class is not registered.
func (m *Mux) Route(class string) (r Route, ok bool) {
	r, ok = m.routes[class]
	return r, ok
}

// Queues returns the queues of the registered classes, sorted and without duplicates. A
// class that is registered with [Mux.HandleFunc] has no queue.
func (m *Mux) Queues() []string {
	var queues []string
	for _, r := range m.routes {
		if r.Queue != "" {
			queues = append(queues, r.Queue)
		}
	}
	slices.Sort(queues)
	return slices.Compact(queues)
}

// locking reports whether a class has a policy that takes locks.
func (m *Mux) locking() bool {
	for _, r := range m.routes {
		if r.policies.Locking() {
			return true
		}
	}
	return false
}

// Classes returns the registered classes, sorted.
func (m *Mux) Classes() []string {
	classes := make([]string, 0, len(m.routes))
	for class := range m.routes {
		classes = append(classes, class)
	}
	slices.Sort(classes)
	return classes
}
