package resque

import (
	"context"
	"time"
)

// TimePerform is middleware that tells observe how long each job took and how it
// ended: what is inside of it, other middleware included. A panic is an error to
// observe, and from there on.
func TimePerform(observe func(ctx context.Context, job *Reserved, took time.Duration, err error)) Middleware {
	return func(next Handler) Handler {
		next = RecoverPerform(next)
		return HandlerFunc(func(ctx context.Context, job *Reserved) (err error) {
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
func TimeEnqueue(observe func(ctx context.Context, job Job, took time.Duration, queued bool, err error)) EnqueueMiddleware {
	return func(next EnqueueFunc) EnqueueFunc {
		return func(ctx context.Context, job Job) (bool, error) {
			begun := time.Now()
			queued, err := next(ctx, job)
			observe(ctx, job, time.Since(begun), queued, err)
			return queued, err
		}
	}
}

// StampEnqueuedAt is middleware that adds the time to each payload, as a member
// enqueued_at, which WaitingSince reads: so that metrics, traces and the dashboard
// know how long a job has been waiting. It is in no payload by itself, since what
// compares bytes would not find the job: see Job.WithMember. Jobs of Rails say it
// anyway.
func StampEnqueuedAt(next EnqueueFunc) EnqueueFunc {
	return func(ctx context.Context, job Job) (bool, error) {
		if job.Class != activeJobWrapper {
			job = job.WithMember("enqueued_at", time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00"))
		}
		return next(ctx, job)
	}
}
