package resque

import (
	"context"
	"fmt"
	"reflect"
)

type definition struct {
	class, queue string
	settings     Settings
}

func define(class, queue string, given []Setting, args ...Argument) definition {
	if class == "" || queue == "" {
		panic(fmt.Sprintf("resque: Define: empty class or queue: class %q, queue %q", class, queue))
	}
	return definition{class: class, queue: queue, settings: settingsOf(class, given, Settings{arguments: args, known: true})}
}

func argument[A any]() Argument { return Argument{reflect.TypeFor[A]()} }

// Class returns the name of the job's class in Ruby.
func (d definition) Class() string { return d.class }

// Queue returns the queue of the jobs that the definition makes.
func (d definition) Queue() string { return d.queue }

// AnyJob returns a job without arguments that stands for all jobs of the class. Pass
// it to [Client.DequeueClass].
func (d definition) AnyJob() Job { return d.job() }

// UncheckedJob returns a job to enqueue with arguments that the compiler does not
// check. Use it in tools that have a definition only as an interface.
func (d definition) UncheckedJob(args ...any) Job { return d.job(args...) }

func (d definition) job(args ...any) Job {
	return Job{Queue: d.queue, Class: d.class, Args: args, hooks: d.settings.hooks}
}

// UncheckedHandler returns a route that performs the class's jobs with fn, for
// [Mux.Handle]. fn gets the payload instead of arguments that the compiler checks,
// and decodes its arguments with [Payload.Bind].
func (d definition) UncheckedHandler(fn HandlerFunc) Route { return d.route(fn == nil, nil, fn) }

// route returns the class's route. targets returns a pointer for each argument; nil
// means that they are not known.
func (d definition) route(none bool, targets func() []any, perform HandlerFunc) Route {
	var handler Handler
	if !none {
		handler = perform
	}
	r := d.settings.route(d.class, d.queue, handler)
	if targets != nil {
		r.Check = func(job *Payload) error { return job.Bind(targets()...) }
	}
	return r
}

// Definition0 defines a job without arguments. Create it with [Define0].
type Definition0 struct{ definition }

// Define0 defines a job without arguments. See [Define1] for what a definition is.
func Define0(class, queue string, settings ...Setting) Definition0 {
	return Definition0{define(class, queue, settings)}
}

// DefineWrapped defines a job that is wrapped in a job of another class, whose arguments
// the definition does not know. Packages of other kinds of jobs, such as activejob, use it.
func DefineWrapped(class, queue string, w *Wrapper, settings ...Setting) Definition0 {
	return Definition0{definition{class: class, queue: queue, settings: settingsOf(class, settings, Settings{wrapper: w})}}
}

// Job returns a job to enqueue, in the definition's queue.
func (d Definition0) Job() Job { return d.job() }

// Handler returns a route that performs the class's jobs with fn, for [Mux.Handle].
func (d Definition0) Handler(fn func(context.Context) error) Route {
	return d.route(fn == nil, func() []any { return nil }, func(ctx context.Context, job *Payload) error {
		if err := job.Bind(); err != nil {
			return err
		}
		return fn(ctx)
	})
}

// Definition1 defines a job with one argument. Create it with [Define1].
type Definition1[A any] struct{ definition }

// Define1 defines a job with one argument. An argument that is a struct is a hash in
// Ruby.
//
//	// Ruby: module Exporter; @queue = :exports; def self.perform(export_id)
//	var Exporter = resque.Define1[int64]("Exporter", "exports", resque.Timeout(10*time.Minute))
//
// A definition describes a job for both sides, the code that enqueues it and the
// code that performs it: [Definition1.Job] returns a job to enqueue, and
// [Definition1.Handler] returns a route for a [Mux]. Because both use the same
// definition, their class and queue agree, and the compiler checks the number and
// the types of the arguments.
//
// Definitions are immutable values and are safe for concurrent use. Define0 to
// Define4 panic if class or queue is empty or a [Setting] is invalid, so that the
// program fails when it starts.
func Define1[A any](class, queue string, settings ...Setting) Definition1[A] {
	return Definition1[A]{define(class, queue, settings, argument[A]())}
}

// Job returns a job to enqueue, in the definition's queue.
func (d Definition1[A]) Job(a A) Job { return d.job(a) }

// Handler returns a route that performs the class's jobs with fn, for [Mux.Handle].
func (d Definition1[A]) Handler(fn func(context.Context, A) error) Route {
	return d.route(fn == nil, func() []any { return []any{new(A)} }, func(ctx context.Context, job *Payload) error {
		var a A
		if err := job.Bind(&a); err != nil {
			return err
		}
		return fn(ctx, a)
	})
}

// Definition2 defines a job with two arguments. Create it with [Define2].
type Definition2[A, B any] struct{ definition }

// Define2 defines a job with two arguments. See [Define1] for what a definition is.
func Define2[A, B any](class, queue string, settings ...Setting) Definition2[A, B] {
	return Definition2[A, B]{define(class, queue, settings, argument[A](), argument[B]())}
}

// Job returns a job to enqueue, in the definition's queue.
func (d Definition2[A, B]) Job(a A, b B) Job { return d.job(a, b) }

// Handler returns a route that performs the class's jobs with fn, for [Mux.Handle].
func (d Definition2[A, B]) Handler(fn func(context.Context, A, B) error) Route {
	return d.route(fn == nil, func() []any { return []any{new(A), new(B)} }, func(ctx context.Context, job *Payload) error {
		var (
			a A
			b B
		)
		if err := job.Bind(&a, &b); err != nil {
			return err
		}
		return fn(ctx, a, b)
	})
}

// Definition3 defines a job with three arguments. Create it with [Define3].
type Definition3[A, B, C any] struct{ definition }

// Define3 defines a job with three arguments. See [Define1] for what a definition is.
func Define3[A, B, C any](class, queue string, settings ...Setting) Definition3[A, B, C] {
	return Definition3[A, B, C]{define(class, queue, settings, argument[A](), argument[B](), argument[C]())}
}

// Job returns a job to enqueue, in the definition's queue.
func (d Definition3[A, B, C]) Job(a A, b B, c C) Job { return d.job(a, b, c) }

// Handler returns a route that performs the class's jobs with fn, for [Mux.Handle].
func (d Definition3[A, B, C]) Handler(fn func(context.Context, A, B, C) error) Route {
	return d.route(fn == nil, func() []any { return []any{new(A), new(B), new(C)} }, func(ctx context.Context, job *Payload) error {
		var (
			a A
			b B
			c C
		)
		if err := job.Bind(&a, &b, &c); err != nil {
			return err
		}
		return fn(ctx, a, b, c)
	})
}

// Definition4 defines a job with four arguments. Create it with [Define4].
type Definition4[A, B, C, D any] struct{ definition }

// Define4 defines a job with four arguments. See [Define1] for what a definition is.
// For more than four arguments, use one struct.
func Define4[A, B, C, D any](class, queue string, settings ...Setting) Definition4[A, B, C, D] {
	return Definition4[A, B, C, D]{define(class, queue, settings, argument[A](), argument[B](), argument[C](), argument[D]())}
}

// Job returns a job to enqueue, in the definition's queue.
func (d Definition4[A, B, C, D]) Job(a A, b B, c C, e D) Job { return d.job(a, b, c, e) }

// Handler returns a route that performs the class's jobs with fn, for [Mux.Handle].
func (d Definition4[A, B, C, D]) Handler(fn func(context.Context, A, B, C, D) error) Route {
	return d.route(fn == nil, func() []any { return []any{new(A), new(B), new(C), new(D)} }, func(ctx context.Context, job *Payload) error {
		var (
			a A
			b B
			c C
			e D
		)
		if err := job.Bind(&a, &b, &c, &e); err != nil {
			return err
		}
		return fn(ctx, a, b, c, e)
	})
}
