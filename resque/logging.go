package resque

import (
	"cmp"
	"context"
	"log/slog"
	"time"
)

// LogPerform is middleware that logs how each job ended, in the words of a
// worker's own log, and never its arguments. A worker has logged it already: this
// is for inline clients, and for programs whose worker logs elsewhere. nil is
// slog.Default().
func LogPerform(log *slog.Logger) Middleware {
	return TimePerform(func(ctx context.Context, job *Reserved, took time.Duration, err error) {
		log := cmp.Or(log, slog.Default()).With("class", job.Class, "queue", job.Queue, "worker", job.Worker, "duration", took)
		outcome, reason := OutcomeOf(ctx, err)
		switch outcome {
		case Succeeded:
			log.InfoContext(ctx, "job done")
		case Dropped:
			log.InfoContext(ctx, "job not performed: a hook said so")
		case Cancelled:
			log.InfoContext(ctx, "job ended: it was told to", "err", reason)
		case Failed:
			log.ErrorContext(ctx, "job failed", "err", reason)
		}
	})
}

// LogEnqueue is middleware that logs each job that is enqueued, and never its
// arguments. nil is slog.Default().
func LogEnqueue(log *slog.Logger) EnqueueMiddleware {
	return TimeEnqueue(func(ctx context.Context, job Job, took time.Duration, queued bool, err error) {
		log := cmp.Or(log, slog.Default()).With("class", job.InnerClass(), "queue", job.Queue, "duration", took)
		switch {
		case err != nil:
			log.ErrorContext(ctx, "enqueueing a job went wrong", "queued", queued, "err", err)
		case queued:
			log.InfoContext(ctx, "job enqueued")
		default:
			log.InfoContext(ctx, "job not enqueued: a hook said so")
		}
	})
}
