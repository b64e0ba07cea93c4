package resque

import (
	"context"
	"fmt"
)

type definition struct {
	class, queue string
	settings     settings
}

func define(class, queue string, given []Setting) definition {
	if class == "" || queue == "" {
		panic(fmt.Sprintf("resque: Define: a class and a queue are needed, got %q, %q", class, queue))
	}
	return definition{class: class, queue: queue, settings: settingsOf(class, given)}
}

// Class is the job's class, as Ruby spells it.
func (d definition) Class() string { return d.class }

// Queue is where Job places it.
func (d definition) Queue() string { return d.queue }

// AnyJob stands for all jobs of the class, for Client.DequeueClass.
func (d definition) AnyJob() Job { return d.job() }

// UncheckedJob returns a job whose arguments the compiler has not checked: for tools
// that have a definition by an interface.
func (d definition) UncheckedJob(args ...any) Job { return d.job(args...) }

func (d definition) job(args ...any) Job {
	return Job{Queue: d.queue, Class: d.class, Args: args, hooks: d.settings.hooks}
}

// UncheckedHandler returns fn as the class's route, for [Mux.Handle]. It gets the
// payload instead of arguments that the compiler has checked, and binds them with
// [Payload.Bind].
func (d definition) UncheckedHandler(fn HandlerFunc) Route { return d.route(fn == nil, fn) }

func (d definition) route(none bool, perform HandlerFunc) Route {
	if none {
		return d.settings.route(d.class, d.queue, nil)
	}
	return d.settings.route(d.class, d.queue, perform)
}

// Definition0 is a job without arguments.
type Definition0 struct{ definition }

// Define0 defines a job without arguments.
func Define0(class, queue string, settings ...Setting) Definition0 {
	return Definition0{define(class, queue, settings)}
}

// Job returns a job to enqueue.
func (d Definition0) Job() Job { return d.job() }

// Handler returns fn as this class's route, for Mux.Handle.
func (d Definition0) Handler(fn func(context.Context) error) Route {
	return d.route(fn == nil, func(ctx context.Context, job *Payload) error {
		if err := job.Bind(); err != nil {
			return err
		}
		return fn(ctx)
	})
}

// Definition1 is a job with one argument; a struct serves for a hash.
type Definition1[A any] struct{ definition }

// Define1 defines a job with one argument.
//
//	// Ruby: module Exporter; @queue = :exports; def self.perform(export_id)
//	var Exporter = resque.Define1[int64]("Exporter", "exports", resque.Timeout(10*time.Minute))
//
// A definition names a job once for both sides, the code that enqueues it and the
// code that performs it: Job makes a job to enqueue, and Handler makes a route for
// a [Mux]. The compiler then checks class, queue, arity and types.
//
// Definitions are immutable values, safe for concurrent use. Define0 to Define4
// panic if the class or the queue is empty, or a [Setting] cannot work: these are
// mistakes of the program, found at its start.
func Define1[A any](class, queue string, settings ...Setting) Definition1[A] {
	return Definition1[A]{define(class, queue, settings)}
}

// Job returns a job to enqueue.
func (d Definition1[A]) Job(a A) Job { return d.job(a) }

// Handler returns fn as this class's route, for Mux.Handle.
func (d Definition1[A]) Handler(fn func(context.Context, A) error) Route {
	return d.route(fn == nil, func(ctx context.Context, job *Payload) error {
		var a A
		if err := job.Bind(&a); err != nil {
			return err
		}
		return fn(ctx, a)
	})
}

// Definition2 is a job with two arguments.
type Definition2[A, B any] struct{ definition }

// Define2 defines a job with two arguments.
func Define2[A, B any](class, queue string, settings ...Setting) Definition2[A, B] {
	return Definition2[A, B]{define(class, queue, settings)}
}

// Job returns a job to enqueue.
func (d Definition2[A, B]) Job(a A, b B) Job { return d.job(a, b) }

// Handler returns fn as this class's route, for Mux.Handle.
func (d Definition2[A, B]) Handler(fn func(context.Context, A, B) error) Route {
	return d.route(fn == nil, func(ctx context.Context, job *Payload) error {
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

// Definition3 is a job with three arguments.
type Definition3[A, B, C any] struct{ definition }

// Define3 defines a job with three arguments.
func Define3[A, B, C any](class, queue string, settings ...Setting) Definition3[A, B, C] {
	return Definition3[A, B, C]{define(class, queue, settings)}
}

// Job returns a job to enqueue.
func (d Definition3[A, B, C]) Job(a A, b B, c C) Job { return d.job(a, b, c) }

// Handler returns fn as this class's route, for Mux.Handle.
func (d Definition3[A, B, C]) Handler(fn func(context.Context, A, B, C) error) Route {
	return d.route(fn == nil, func(ctx context.Context, job *Payload) error {
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

// Definition4 is a job with four arguments; beyond that, take a struct.
type Definition4[A, B, C, D any] struct{ definition }

// Define4 defines a job with four arguments.
func Define4[A, B, C, D any](class, queue string, settings ...Setting) Definition4[A, B, C, D] {
	return Definition4[A, B, C, D]{define(class, queue, settings)}
}

// Job returns a job to enqueue.
func (d Definition4[A, B, C, D]) Job(a A, b B, c C, e D) Job { return d.job(a, b, c, e) }

// Handler returns fn as this class's route, for Mux.Handle.
func (d Definition4[A, B, C, D]) Handler(fn func(context.Context, A, B, C, D) error) Route {
	return d.route(fn == nil, func(ctx context.Context, job *Payload) error {
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
