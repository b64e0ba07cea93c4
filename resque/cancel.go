package resque

import (
	"context"
	"errors"
	"fmt"

	"github.com/goresque/goresque/internal/wire"
)

// ErrNotCancelable is wrapped by the error of [Client.CancelRunning] for a worker that is
// not a goresque worker: it would not learn of it.
var ErrNotCancelable = errors.New("resque: only goresque workers can be told to cancel a job")

// CancelRunning tells the process of a Go worker to cancel the job that the worker
// performs. The context of the job ends with [ErrCanceled]; a child process is told in the
// same way, and killed if it does not end in time. runAt is the RunAtText that the worker
// had when the caller looked at it, or empty for whatever job it performs. It returns false
// if the worker performs no job, or another one. The job may still succeed: a handler can
// ignore its context.
//
// To cancel a job that waits, remove it: see [Queue.Remove], [Client.Dequeue],
// [Delayed.Remove] and [Client.RemoveDelayed].
func (c *Client) CancelRunning(ctx context.Context, worker, runAt string) (told bool, err error) {
	if id, _ := wire.ParseWorkerID(worker); !id.Go {
		return false, fmt.Errorf("%w: %q is another kind of worker", ErrNotCancelable, worker)
	}
	const tries = 3 // a busy worker takes another job
	for range tries {
		record, err := c.store.Record(ctx, worker)
		if err != nil || len(record.Text) == 0 || runAt != "" && record.RunAt != runAt {
			return false, err
		}
		parsed, err := wire.ParseRecord(record.Text)
		if err != nil {
			return false, fmt.Errorf("resque: canceling the job of %q: %w", worker, err)
		}
		if told, err = c.store.Cancel(ctx, worker, parsed.Guard); told || err != nil {
			return told, err
		}
	}
	return false, nil
}

// Canceled is the result of [Client.Cancel]: how many jobs were canceled.
type Canceled struct {
	Queued  int64 // removed from their queue
	Delayed int64 // removed from the delayed jobs
	Running int64 // told to end; see [Client.CancelRunning]
}

// Total returns the number of all.
func (c Canceled) Total() int64 { return c.Queued + c.Delayed + c.Running }

// Cancel cancels all copies of job, wherever they are: it removes those that are delayed
// and those that wait in the queue, and tells the Go workers that perform one to end it.
// Hooks can veto the removal, as they can for [Client.Dequeue], which says which jobs are
// copies; of delayed jobs, only copies with the same bytes are: see [Client.RemoveDelayed].
// A copy that moves on between the steps is found in the later one. The result is also
// returned with an error.
func (c *Client) Cancel(ctx context.Context, job Job) (did Canceled, err error) {
	if did.Delayed, err = c.RemoveDelayed(ctx, job); err != nil {
		return did, err
	}
	if did.Queued, _, err = c.Dequeue(ctx, job); err != nil {
		return did, err
	}
	payload, err := c.appendPayload(nil, job)
	if err != nil {
		return did, err
	}
	same, err := newSameJob(payload)
	if err != nil {
		return did, err
	}
	working, err := c.Working(ctx)
	if err != nil {
		return did, err
	}
	var wrong []error
	for _, w := range working {
		if !w.Go || w.Job == nil || w.Job.Queue != job.Queue || !same.match(QueuedJob{Raw: w.Job.Raw}) {
			continue
		}
		told, err := c.CancelRunning(ctx, w.ID, w.RunAtText)
		if wrong = append(wrong, err); told {
			did.Running++
		}
	}
	return did, errors.Join(wrong...)
}
