package resque

import (
	"context"
	"time"
)

// A definition names a job once for both sides: who enqueues it and who
// performs it. The compiler then checks class, queue, arity and types.
//
//	// Ruby: module Exporter; @queue = :exports; def self.perform(export_id)
//	var Exporter = resque.Define1[int64]("Exporter", "exports")
//
// Definitions are immutable values and safe for concurrent use. They panic when
// the class or the queue is empty: a mistake of the program, found at its start.
type definition struct {
	class, queue string
	timeout      time.Duration
	hooks        *clientHooks
}

func define(class, queue string) definition {
	if class == "" || queue == "" {
		panic("resque: Define: a class and a queue are needed, got " + `"` + class + `", "` + queue + `"`)
	}
	return definition{class: class, queue: queue}
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
	return Job{Queue: d.queue, Class: d.class, Args: args, hooks: d.hooks}
}

// route is the class's. It has no handler where there is no function to call, so
// that Mux.Handle panics at once and not each job later.
func (d definition) route(none bool, perform HandlerFunc) Route {
	r := Route{Class: d.class, Queue: d.queue, Timeout: d.timeout, hooks: d.hooks}
	if !none {
		r.Handler = perform
	}
	return r
}

// Definition0 is a job without arguments.
type Definition0 struct{ definition }

// Define0 defines a job without arguments.
func Define0(class, queue string) Definition0 { return Definition0{define(class, queue)} }

// Timeout returns the definition with a limit on how long its jobs may take.
func (d Definition0) Timeout(limit time.Duration) Definition0 {
	d.timeout = limit
	return d
}

// EnqueueHooks returns the definition with hooks around the enqueueing of its
// jobs, inside of those it has. See BeforeEnqueue and AfterEnqueue.
func (d Definition0) EnqueueHooks(hooks ...EnqueueMiddleware) Definition0 {
	d.hooks = d.hooks.withEnqueue(hooks)
	return d
}

// DequeueHooks returns the definition with hooks around the removal of its jobs,
// inside of those it has. See BeforeDequeue and AfterDequeue.
func (d Definition0) DequeueHooks(hooks ...DequeueMiddleware) Definition0 {
	d.hooks = d.hooks.withDequeue(hooks)
	return d
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
func Define1[A any](class, queue string) Definition1[A] {
	return Definition1[A]{define(class, queue)}
}

// Timeout returns the definition with a limit on how long its jobs may take.
func (d Definition1[A]) Timeout(limit time.Duration) Definition1[A] {
	d.timeout = limit
	return d
}

// EnqueueHooks returns the definition with hooks around the enqueueing of its
// jobs, inside of those it has. See BeforeEnqueue and AfterEnqueue.
func (d Definition1[A]) EnqueueHooks(hooks ...EnqueueMiddleware) Definition1[A] {
	d.hooks = d.hooks.withEnqueue(hooks)
	return d
}

// DequeueHooks returns the definition with hooks around the removal of its jobs,
// inside of those it has. See BeforeDequeue and AfterDequeue.
func (d Definition1[A]) DequeueHooks(hooks ...DequeueMiddleware) Definition1[A] {
	d.hooks = d.hooks.withDequeue(hooks)
	return d
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
func Define2[A, B any](class, queue string) Definition2[A, B] {
	return Definition2[A, B]{define(class, queue)}
}

// Timeout returns the definition with a limit on how long its jobs may take.
func (d Definition2[A, B]) Timeout(limit time.Duration) Definition2[A, B] {
	d.timeout = limit
	return d
}

// EnqueueHooks returns the definition with hooks around the enqueueing of its
// jobs, inside of those it has. See BeforeEnqueue and AfterEnqueue.
func (d Definition2[A, B]) EnqueueHooks(hooks ...EnqueueMiddleware) Definition2[A, B] {
	d.hooks = d.hooks.withEnqueue(hooks)
	return d
}

// DequeueHooks returns the definition with hooks around the removal of its jobs,
// inside of those it has. See BeforeDequeue and AfterDequeue.
func (d Definition2[A, B]) DequeueHooks(hooks ...DequeueMiddleware) Definition2[A, B] {
	d.hooks = d.hooks.withDequeue(hooks)
	return d
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
func Define3[A, B, C any](class, queue string) Definition3[A, B, C] {
	return Definition3[A, B, C]{define(class, queue)}
}

// Timeout returns the definition with a limit on how long its jobs may take.
func (d Definition3[A, B, C]) Timeout(limit time.Duration) Definition3[A, B, C] {
	d.timeout = limit
	return d
}

// EnqueueHooks returns the definition with hooks around the enqueueing of its
// jobs, inside of those it has. See BeforeEnqueue and AfterEnqueue.
func (d Definition3[A, B, C]) EnqueueHooks(hooks ...EnqueueMiddleware) Definition3[A, B, C] {
	d.hooks = d.hooks.withEnqueue(hooks)
	return d
}

// DequeueHooks returns the definition with hooks around the removal of its jobs,
// inside of those it has. See BeforeDequeue and AfterDequeue.
func (d Definition3[A, B, C]) DequeueHooks(hooks ...DequeueMiddleware) Definition3[A, B, C] {
	d.hooks = d.hooks.withDequeue(hooks)
	return d
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
func Define4[A, B, C, D any](class, queue string) Definition4[A, B, C, D] {
	return Definition4[A, B, C, D]{define(class, queue)}
}

// Timeout returns the definition with a limit on how long its jobs may take.
func (d Definition4[A, B, C, D]) Timeout(limit time.Duration) Definition4[A, B, C, D] {
	d.timeout = limit
	return d
}

// EnqueueHooks returns the definition with hooks around the enqueueing of its
// jobs, inside of those it has. See BeforeEnqueue and AfterEnqueue.
func (d Definition4[A, B, C, D]) EnqueueHooks(hooks ...EnqueueMiddleware) Definition4[A, B, C, D] {
	d.hooks = d.hooks.withEnqueue(hooks)
	return d
}

// DequeueHooks returns the definition with hooks around the removal of its jobs,
// inside of those it has. See BeforeDequeue and AfterDequeue.
func (d Definition4[A, B, C, D]) DequeueHooks(hooks ...DequeueMiddleware) Definition4[A, B, C, D] {
	d.hooks = d.hooks.withDequeue(hooks)
	return d
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
