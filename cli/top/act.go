package top

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goresque/goresque/resque"
)

// keep is how long removed jobs can be restored.
const keep = 24 * time.Hour

// done is the result of an action.
type done struct {
	text  string
	trash []string // tokens with which it can be undone
	err   error
}

// bulk returns the result of an action on several jobs.
func bulk(verb string, p resque.BulkProgress, err error) done {
	text := fmt.Sprintf("%s %s", verb, count(int(p.Done), "job", "jobs"))
	if p.Gone > 0 {
		text += fmt.Sprintf(", %d no longer existed", p.Gone)
	}
	if p.Refused > 0 {
		text += fmt.Sprintf(", %d cannot be retried", p.Refused)
	}
	if p.Done > 0 && errors.Is(err, resque.ErrFailureRequeued) {
		err = nil // counted as refused
	}
	return done{text, p.Trash, err}
}

// action changes something. name is a verb for the question, such as "Retry".
type action struct {
	name  string
	undo  string // what to say about undoing it
	apply func(ctx context.Context, rows []row) done
}

// retry returns the action that puts jobs into their queues. ok is false if the tab has
// none.
func (r reader) retry(t tab) (a action, ok bool) {
	switch t {
	case tabFailed:
		return action{name: "Retry", apply: func(ctx context.Context, rows []row) done {
			p, err := r.client.Failures().Requeue(ctx, resque.RequeueOptions{}, targets[resque.FailureID](rows)...)
			return bulk("retried", p, err)
		}}, true
	case tabScheduled:
		return action{name: "Run", apply: func(ctx context.Context, rows []row) done {
			p, err := r.client.Delayed().Run(ctx, targets[resque.DelayedID](rows)...)
			return bulk("queued", p, err)
		}}, true
	case tabRetries:
		return action{name: "Run", apply: func(ctx context.Context, rows []row) done {
			p, err := r.client.Retries(nil).Run(ctx, targets[resque.DelayedID](rows)...)
			return bulk("queued", p, err)
		}}, true
	default:
		return action{}, false
	}
}

// remove returns the action that removes jobs.
func (r reader) remove(t tab) (a action, ok bool) {
	how := resque.RemoveOptions{Keep: keep}
	const undo = "They can be restored for a day."
	switch t {
	case tabFailed:
		return action{name: "Remove", undo: undo, apply: func(ctx context.Context, rows []row) done {
			p, err := r.client.Failures().Remove(ctx, how, targets[resque.FailureID](rows)...)
			return bulk("removed", p, err)
		}}, true
	case tabScheduled:
		return action{name: "Remove", undo: undo, apply: func(ctx context.Context, rows []row) done {
			p, err := r.client.Delayed().Remove(ctx, how, targets[resque.DelayedID](rows)...)
			return bulk("removed", p, err)
		}}, true
	case tabRetries:
		return action{name: "Remove", undo: undo, apply: func(ctx context.Context, rows []row) done {
			p, err := r.client.Retries(nil).Remove(ctx, how, targets[resque.DelayedID](rows)...)
			return bulk("removed", p, err)
		}}, true
	default:
		return action{}, false
	}
}

func (r reader) removeQueue(ctx context.Context, name string) done {
	jobs, known, err := r.client.RemoveQueue(ctx, name)
	if err == nil && !known {
		return done{text: "the queue no longer exists"}
	}
	return done{text: "removed the queue with its " + count(int(jobs), "job", "jobs"), err: err}
}

func (r reader) pauseQueue(ctx context.Context, q queueState) done {
	if q.paused {
		return done{text: "the workers take jobs of the queue again", err: r.client.ResumeQueue(ctx, q.name)}
	}
	return done{text: "paused the queue", err: r.client.PauseQueue(ctx, q.name)}
}

func (r reader) pauseAll(ctx context.Context, paused bool) done {
	if paused {
		return done{text: "all workers take jobs again", err: r.client.Resume(ctx)}
	}
	return done{text: "paused all workers", err: r.client.Pause(ctx)}
}

// stop cancels the jobs that workers run, unless they have ended meanwhile.
func (r reader) stop(ctx context.Context, jobs []runningJob) done {
	told := 0
	var wrong []error
	for _, job := range jobs {
		ok, err := r.client.CancelRunning(ctx, job.worker, job.runAt)
		if wrong = append(wrong, err); ok {
			told++
		}
	}
	text := fmt.Sprintf("told the workers of %s to stop", count(told, "job", "jobs"))
	if wrong := errors.Join(wrong...); wrong == nil && told < len(jobs) {
		text += fmt.Sprintf(", %d had ended", len(jobs)-told)
	}
	return done{text: text, err: errors.Join(wrong...)}
}

// restore puts back what an action removed.
func (r reader) restore(ctx context.Context, trash []string) done {
	var n int64
	for _, token := range trash {
		restored, err := r.client.Restore(ctx, token)
		if n += restored; err != nil {
			return done{err: err}
		}
	}
	return done{text: "restored " + count(int(n), "job", "jobs")}
}

func targets[T any](rows []row) []T {
	all := make([]T, len(rows))
	for i, r := range rows {
		all[i] = r.target.(T)
	}
	return all
}
