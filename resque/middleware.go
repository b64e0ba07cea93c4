package resque

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"time"
)

// LogPerform returns middleware that logs the result of each job with the messages of a
// worker's log. It never logs arguments. Because a worker logs its jobs anyway, use
// LogPerform with inline clients, or to log to another logger than the worker. If log is
// nil, it uses [slog.Default].
func LogPerform(log *slog.Logger) Middleware {
	return TimePerform(func(ctx context.Context, job *Payload, took time.Duration, err error) {
		log := cmp.Or(log, slog.Default()).With("class", job.Class, "queue", job.Queue, "worker", job.Worker, "duration", took)
		outcome, reason := ResultOf(ctx, err)
		switch outcome {
		case ResultSucceeded:
			log.InfoContext(ctx, "job done")
		case ResultDropped:
			log.InfoContext(ctx, "job not performed: a hook refused it")
		case ResultSnoozed:
			log.InfoContext(ctx, "job snoozed: it asked to be performed again")
		case ResultCanceled:
			log.InfoContext(ctx, "job ended: it was canceled", "err", reason)
		case ResultFailed:
			log.ErrorContext(ctx, "job failed", "err", reason)
		}
	})
}

// LogEnqueue returns middleware that logs the result of enqueueing each job. It never
// logs arguments. If log is nil, it uses [slog.Default].
func LogEnqueue(log *slog.Logger) EnqueueMiddleware {
	return TimeEnqueue(func(ctx context.Context, job Job, took time.Duration, receipt Receipt, err error) {
		log := cmp.Or(log, slog.Default()).With("class", job.InnerClass(), "queue", job.Queue, "duration", took)
		switch {
		case err != nil:
			log.ErrorContext(ctx, "enqueueing a job failed", "queued", receipt.Enqueued(), "err", err)
		case receipt.State == Scheduled:
			log.InfoContext(ctx, "job delayed", "due", receipt.Due)
		case receipt.Enqueued():
			log.InfoContext(ctx, "job enqueued")
		default:
			log.InfoContext(ctx, "job not enqueued: a hook refused it")
		}
	})
}

// TimePerform returns middleware that calls observe after each job with the job's
// duration and error. The duration includes the middleware inside of this one. If the
// job panics, observe and the middleware outside of this one get a [*PanicError].
func TimePerform(observe func(ctx context.Context, job *Payload, took time.Duration, err error)) Middleware {
	return func(next Handler) Handler {
		next = RecoverPerform(next)
		return HandlerFunc(func(ctx context.Context, job *Payload) (err error) {
			start := time.Now()
			err = errGoexit
			defer func() { observe(ctx, job, time.Since(start), err) }()
			err = next.Perform(ctx, job)
			return err
		})
	}
}

// TimeEnqueue returns middleware that calls observe after each job is enqueued with the
// time that this took. In [Client.EnqueueAll] that is the time until the job's chunk was
// sent, and in an inline client the time until the job was performed.
func TimeEnqueue(observe func(ctx context.Context, job Job, took time.Duration, receipt Receipt, err error)) EnqueueMiddleware {
	return func(next EnqueueFunc) EnqueueFunc {
		return func(ctx context.Context, job Job) (Receipt, error) {
			start := time.Now()
			receipt, err := next(ctx, job)
			observe(ctx, job, time.Since(start), receipt, err)
			return receipt, err
		}
	}
}

// StampEnqueuedAt is middleware that adds the current time to each payload as a member
// enqueued_at, or for a delayed job the time at which it is due. Metrics, traces and the dashboard then show how long a job has waited:
// see [Payload.WaitingSince]. Payloads do not contain the time by default because
// programs that compare bytes would not find the job: see [Job.WithMember]. Payloads of
// Rails contain it anyway, and StampEnqueuedAt leaves them unchanged.
func StampEnqueuedAt(next EnqueueFunc) EnqueueFunc {
	return func(ctx context.Context, job Job) (Receipt, error) {
		if job.Class != activeJobWrapper {
			job = job.WithMember("enqueued_at", job.waitsFrom(time.Now()).UTC().Format("2006-01-02T15:04:05.000Z07:00"))
		}
		return next(ctx, job)
	}
}

// errGoexit is the error that TimePerform passes to observe if the handler ends its
// goroutine, as t.FailNow does, instead of returning.
var errGoexit = errors.New("the handler called runtime.Goexit")

// RecoverPerform is middleware that returns a panic as a [*PanicError]. [Perform], workers
// and inline clients also recover panics. Use RecoverPerform inside of other middleware
// that should get an error from next instead of a panic.
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

// RecoverEnqueue is middleware that returns a panic as a [*PanicError]. It recovers
// panics of middleware inside of it and of methods that encode arguments. Without it,
// [Client.Enqueue] panics. A job whose enqueueing panics is not queued, unless
// middleware panicked after it was queued.
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
