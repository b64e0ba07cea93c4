package resque

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"time"
)

// LogPerform is middleware that logs how each job ended, in the words of a
// worker's own log, and never its arguments. A worker has logged it already: this
// is for inline clients, and for programs whose worker logs elsewhere. nil is
// slog.Default().
func LogPerform(log *slog.Logger) Middleware {
	return TimePerform(func(ctx context.Context, job *Payload, took time.Duration, err error) {
		log := cmp.Or(log, slog.Default()).With("class", job.Class, "queue", job.Queue, "worker", job.Worker, "duration", took)
		outcome, reason := ResultOf(ctx, err)
		switch outcome {
		case ResultSucceeded:
			log.InfoContext(ctx, "job done")
		case ResultDropped:
			log.InfoContext(ctx, "job not performed: a hook said so")
		case ResultCancelled:
			log.InfoContext(ctx, "job ended: it was told to", "err", reason)
		case ResultFailed:
			log.ErrorContext(ctx, "job failed", "err", reason)
		}
	})
}

// LogEnqueue is middleware that logs each job that is enqueued, and never its
// arguments. nil is slog.Default().
func LogEnqueue(log *slog.Logger) EnqueueMiddleware {
	return TimeEnqueue(func(ctx context.Context, job Job, took time.Duration, receipt Receipt, err error) {
		log := cmp.Or(log, slog.Default()).With("class", job.InnerClass(), "queue", job.Queue, "duration", took)
		switch {
		case err != nil:
			log.ErrorContext(ctx, "enqueueing a job went wrong", "queued", receipt.Enqueued(), "err", err)
		case receipt.Enqueued():
			log.InfoContext(ctx, "job enqueued")
		default:
			log.InfoContext(ctx, "job not enqueued: a hook said so")
		}
	})
}

// TimePerform is middleware that tells observe how long each job took and how it
// ended: what is inside of it, other middleware included. A panic is an error to
// observe, and from there on.
func TimePerform(observe func(ctx context.Context, job *Payload, took time.Duration, err error)) Middleware {
	return func(next Handler) Handler {
		next = RecoverPerform(next)
		return HandlerFunc(func(ctx context.Context, job *Payload) (err error) {
			begun := time.Now()
			err = errGoexit
			defer func() { observe(ctx, job, time.Since(begun), err) }()
			err = next.Perform(ctx, job)
			return err
		})
	}
}

// TimeEnqueue is middleware that tells observe how long it took to place each
// job. In EnqueueAll that is until its chunk was sent, and in inline mode until it
// was performed.
func TimeEnqueue(observe func(ctx context.Context, job Job, took time.Duration, receipt Receipt, err error)) EnqueueMiddleware {
	return func(next EnqueueFunc) EnqueueFunc {
		return func(ctx context.Context, job Job) (Receipt, error) {
			begun := time.Now()
			receipt, err := next(ctx, job)
			observe(ctx, job, time.Since(begun), receipt, err)
			return receipt, err
		}
	}
}

// StampEnqueuedAt is middleware that adds the time to each payload, as a member
// enqueued_at, which WaitingSince reads: so that metrics, traces and the dashboard
// know how long a job has been waiting. It is in no payload by itself, since what
// compares bytes would not find the job: see Job.WithMember. Jobs of Rails say it
// anyway.
func StampEnqueuedAt(next EnqueueFunc) EnqueueFunc {
	return func(ctx context.Context, job Job) (Receipt, error) {
		if job.Class != activeJobWrapper {
			job = job.WithMember("enqueued_at", time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00"))
		}
		return next(ctx, job)
	}
}

// errGoexit is what middleware is told of a handler that ended its goroutine, as
// t.FailNow does, instead of returning.
var errGoexit = errors.New("the handler called runtime.Goexit")

// RecoverPerform is middleware that returns a panic as a *PanicError. Perform does
// so anyway, and so do workers and inline clients: this is for middleware outside
// of it that is to see an error where otherwise the panic would pass it by.
func RecoverPerform(next Handler) Handler {
	return HandlerFunc(func(ctx context.Context, job *Payload) (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
		}()
		return next.Perform(ctx, job)
	})
}

// RecoverEnqueue is middleware that returns a panic as a *PanicError: of what
// spells an argument, or of middleware inside of it. Without it the panic is the
// caller's of Enqueue. The job is then not queued, unless the middleware panicked
// after it was.
func RecoverEnqueue(next EnqueueFunc) EnqueueFunc {
	return func(ctx context.Context, job Job) (receipt Receipt, err error) {
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
		}()
		return next(ctx, job)
	}
}
