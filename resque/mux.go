package resque

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Handler performs jobs. It is called by many goroutines at once. An error, or
// a panic, makes the job a failure; NewFailure says what is recorded of it.
//
// Ruby: self.perform of a job's class.
type Handler interface {
	Perform(ctx context.Context, job *Payload) error
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, job *Payload) error

var _ Handler = HandlerFunc(nil)

// Perform calls f.
func (f HandlerFunc) Perform(ctx context.Context, job *Payload) error { return f(ctx, job) }

// Middleware wraps a handler in another. next gets the context you pass it.
//
// Ruby: the around_perform hooks.
type Middleware func(next Handler) Handler

// Route is a class and what performs its jobs, as a definition's Handler
// returns it.
type Route struct {
	Class   string
	Handler Handler

	// Queue is where the class's jobs go by themselves. It may be empty.
	Queue string

	// Timeout ends the context of a job that takes longer. Defaults to 0: the
	// worker's own, if it has one.
	Timeout time.Duration

	// Wrapper is what the class's jobs stand in, where they do not stand in the
	// queue by themselves. It may be nil.
	Wrapper *Wrapper

	failure []FailureHook
	hooks   *clientHooks // of the definition
}

// Job returns a job of the route's class, with the arguments unchecked: for
// commands, which know their classes by a Mux. It is in the route's wrapper, if
// that knows how.
func (r Route) Job(args ...any) Job {
	job := Job{Queue: r.Queue, Class: r.Class, Args: args, hooks: r.hooks}
	if r.Wrapper != nil && r.Wrapper.Wrap != nil {
		return r.Wrapper.Wrap(job)
	}
	return job
}

// Use returns the route with middleware around its handler, the first
// outermost, inside of the mux's own. It panics if one is nil.
func (r Route) Use(middleware ...Middleware) Route {
	for _, wrap := range slices.Backward(middleware) {
		if wrap == nil {
			panic(fmt.Sprintf("resque: Use: nil middleware for class %q", r.Class))
		}
		r.Handler = wrap(r.Handler)
	}
	return r
}

// OnFailure returns the route with hooks that are told when one of its jobs has
// failed, after those it has. It panics if one is nil.
func (r Route) OnFailure(hooks ...FailureHook) Route {
	for _, hook := range hooks {
		if hook == nil {
			panic(fmt.Sprintf("resque: OnFailure: nil hook for class %q", r.Class))
		}
	}
	r.failure = slices.Concat(r.failure, hooks)
	return r
}

// UnknownClassError reports a job of a class that nobody registered.
type UnknownClassError struct{ Class string }

func (e *UnknownClassError) Error() string {
	return fmt.Sprintf("uninitialized constant %s (no Go handler is registered for this class)", e.Class)
}

// ExceptionName is Ruby's class for this error.
func (e *UnknownClassError) ExceptionName() string { return "NameError" }

// Mux sends each job to the handler of its class. Register everything before a
// worker runs it; after that it is safe for concurrent use.
type Mux struct {
	routes     map[string]Route
	wrappers   map[string]*Wrapper
	middleware []Middleware
}

var _ Handler = (*Mux)(nil)

// NewMux returns a mux without classes.
func NewMux() *Mux { return &Mux{routes: map[string]Route{}, wrappers: map[string]*Wrapper{}} }

// Use adds middleware around every class registered after it, the first given
// outermost. It panics once a class is registered, which the middleware would
// miss.
func (m *Mux) Use(middleware ...Middleware) {
	if len(m.routes) > 0 {
		panic("resque: Use after Handle: the classes registered already would go without the middleware")
	}
	for _, wrap := range middleware {
		if wrap == nil {
			panic("resque: Use: nil middleware")
		}
	}
	m.middleware = append(m.middleware, middleware...)
}

// Wraps reports whether class is a wrapper that has jobs of other classes inside,
// such as Rails'. It cannot have a handler of its own.
func (m *Mux) Wraps(class string) bool {
	_, ok := m.wrappers[class]
	return ok
}

// Handle registers a route. It panics when the class is empty or taken, or the
// handler nil: mistakes of the program, found at its start.
func (m *Mux) Handle(r Route) {
	switch {
	case r.Class == "":
		panic("resque: Handle: empty class")
	case r.Handler == nil:
		panic(fmt.Sprintf("resque: Handle: nil handler for class %q", r.Class))
	case m.routes[r.Class].Handler != nil:
		panic(fmt.Sprintf("resque: Handle: class %q is registered already", r.Class))
	case m.wrappers[r.Class] != nil:
		panic(fmt.Sprintf("resque: Handle: class %q has other jobs inside", r.Class))
	}
	m.wrap(r)
	for _, wrap := range slices.Backward(m.middleware) {
		r.Handler = wrap(r.Handler)
	}
	m.routes[r.Class] = r
}

// HandleFunc registers fn for class, with settings: the plain form, for what the
// compiler cannot know.
func (m *Mux) HandleFunc(class string, fn func(ctx context.Context, job *Payload) error, settings ...Setting) {
	if fn == nil {
		panic(fmt.Sprintf("resque: HandleFunc: nil function for class %q", class))
	}
	m.Handle(settingsOf(class, settings).route(class, "", HandlerFunc(fn)))
}

// Perform performs job, or the job inside it, by its class's handler. The error
// is an *UnknownClassError where there is none.
func (m *Mux) Perform(ctx context.Context, job *Payload) error {
	if m.wrappers[job.Class] != nil { // whoever calls has not unwrapped it
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

// Route is what is registered for a class.
func (m *Mux) Route(class string) (r Route, ok bool) {
	r, ok = m.routes[class]
	return r, ok
}

// Queues returns the queues of the registered classes, sorted and each once. A class
// that was registered without a queue, as by HandleFunc, adds none.
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

// Classes are the registered classes, sorted.
func (m *Mux) Classes() []string {
	classes := make([]string, 0, len(m.routes))
	for class := range m.routes {
		classes = append(classes, class)
	}
	slices.Sort(classes)
	return classes
}
