package activejob

import (
	"context"

	"github.com/goresque/goresque/resque"
)

// Definition0 is a Rails job without arguments.
type Definition0 struct{ definition }

// Define0 defines a Rails job without arguments.
func Define0(class, queue string, settings ...resque.Setting) Definition0 {
	return Definition0{define(class, queue, settings)}
}

// Job returns a job to enqueue, with a new random id.
func (d Definition0) Job() resque.Job { return d.job() }

// Handler returns the route that performs jobs of this class with fn, for
// [resque.Mux.Handle].
func (d Definition0) Handler(fn func(context.Context) error) resque.Route {
	return d.route(fn == nil, func() []any { return nil }, func(ctx context.Context, job *resque.Payload) error {
		if err := Bind(job); err != nil {
			return err
		}
		return fn(ctx)
	})
}

// Definition1 is a Rails job with one argument. For a hash, A can be a struct.
type Definition1[A any] struct{ definition }

// Define1 defines a Rails job with one argument.
//
//	// Ruby: class ExportJob < ApplicationJob; queue_as :exports; def perform(export_id)
//	var ExportJob = activejob.Define1[int64]("ExportJob", "exports")
//
// A definition names a Rails job once, for enqueueing and for performing, as
// [resque.Define1] does for plain Resque jobs. It accepts the same settings. The hooks
// around enqueueing receive the wrapped job, of class [JobWrapper]; [Inside] returns
// the job inside. Define1 panics if class or queue is empty.
//
// Ruby: before_enqueue, around_enqueue and after_enqueue of ActiveJob::Callbacks.
func Define1[A any](class, queue string, settings ...resque.Setting) Definition1[A] {
	return Definition1[A]{define(class, queue, settings)}
}

// Job returns a job to enqueue, with a new random id.
func (d Definition1[A]) Job(a A) resque.Job { return d.job(a) }

// Handler returns the route that performs jobs of this class with fn, for
// [resque.Mux.Handle].
func (d Definition1[A]) Handler(fn func(context.Context, A) error) resque.Route {
	return d.route(fn == nil, func() []any { return []any{new(A)} }, func(ctx context.Context, job *resque.Payload) error {
		var a A
		if err := Bind(job, &a); err != nil {
			return err
		}
		return fn(ctx, a)
	})
}

// Definition2 is a Rails job with two arguments.
type Definition2[A, B any] struct{ definition }

// Define2 defines a Rails job with two arguments.
func Define2[A, B any](class, queue string, settings ...resque.Setting) Definition2[A, B] {
	return Definition2[A, B]{define(class, queue, settings)}
}

// Job returns a job to enqueue, with a new random id.
func (d Definition2[A, B]) Job(a A, b B) resque.Job { return d.job(a, b) }

// Handler returns the route that performs jobs of this class with fn, for
// [resque.Mux.Handle].
func (d Definition2[A, B]) Handler(fn func(context.Context, A, B) error) resque.Route {
	return d.route(fn == nil, func() []any { return []any{new(A), new(B)} }, func(ctx context.Context, job *resque.Payload) error {
		var (
			a A
			b B
		)
		if err := Bind(job, &a, &b); err != nil {
			return err
		}
		return fn(ctx, a, b)
	})
}

// Definition3 is a Rails job with three arguments.
type Definition3[A, B, C any] struct{ definition }

// Define3 defines a Rails job with three arguments.
func Define3[A, B, C any](class, queue string, settings ...resque.Setting) Definition3[A, B, C] {
	return Definition3[A, B, C]{define(class, queue, settings)}
}

// Job returns a job to enqueue, with a new random id.
func (d Definition3[A, B, C]) Job(a A, b B, c C) resque.Job { return d.job(a, b, c) }

// Handler returns the route that performs jobs of this class with fn, for
// [resque.Mux.Handle].
func (d Definition3[A, B, C]) Handler(fn func(context.Context, A, B, C) error) resque.Route {
	return d.route(fn == nil, func() []any { return []any{new(A), new(B), new(C)} }, func(ctx context.Context, job *resque.Payload) error {
		var (
			a A
			b B
			c C
		)
		if err := Bind(job, &a, &b, &c); err != nil {
			return err
		}
		return fn(ctx, a, b, c)
	})
}

// Definition4 is a Rails job with four arguments. For more arguments use [Job] and
// [Route].
type Definition4[A, B, C, D any] struct{ definition }

// Define4 defines a Rails job with four arguments.
func Define4[A, B, C, D any](class, queue string, settings ...resque.Setting) Definition4[A, B, C, D] {
	return Definition4[A, B, C, D]{define(class, queue, settings)}
}

// Job returns a job to enqueue, with a new random id.
func (d Definition4[A, B, C, D]) Job(a A, b B, c C, e D) resque.Job { return d.job(a, b, c, e) }

// Handler returns the route that performs jobs of this class with fn, for
// [resque.Mux.Handle].
func (d Definition4[A, B, C, D]) Handler(fn func(context.Context, A, B, C, D) error) resque.Route {
	return d.route(fn == nil, func() []any { return []any{new(A), new(B), new(C), new(D)} }, func(ctx context.Context, job *resque.Payload) error {
		var (
			a A
			b B
			c C
			e D
		)
		if err := Bind(job, &a, &b, &c, &e); err != nil {
			return err
		}
		return fn(ctx, a, b, c, e)
	})
}
