// Package cancel lets a visitor cancel or delete an export while its job is
// delayed, waits or runs.
package cancel

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/goresque/goresque/demo/database"
	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/demo/site"
	"github.com/goresque/goresque/demo/status"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/outbox"
)

// Actions cancels and deletes exports.
type Actions struct {
	Client *resque.Client
	DB     *database.DB
	Job    func(id int64) resque.Job // the job of an export
	Log    *slog.Logger
	Wait   time.Duration // for Redis at most; 0 means 5 s
}

// Cancel removes the export's job before it is due or from the queue, or ends its run.
func (a *Actions) Cancel(rw http.ResponseWriter, r *http.Request, export *record.Record) error {
	ctx := context.WithoutCancel(r.Context()) // both steps happen even if the visitor leaves
	a.dequeue(ctx, export)
	if _, err := export.Cancel(ctx); err != nil {
		return err
	}
	return status.Answer(rw, r, export)
}

// Delete deletes the export and its file.
func (a *Actions) Delete(rw http.ResponseWriter, r *http.Request, export *record.Record) error {
	ctx := context.WithoutCancel(r.Context()) // both steps happen even if the visitor leaves
	a.dequeue(ctx, export)
	if err := export.Remove(ctx); err != nil {
		return err
	}
	if site.WantsJSON(r) {
		rw.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(rw, r, "/exports", http.StatusSeeOther)
	return nil
}

// dequeue removes the job of a scheduled or queued export. The caller changes the record after
// that, so that dequeue cannot remove the job of a later retry. If the job stays,
// because Redis cannot be reached or a worker has taken it, it does nothing when it
// runs.
func (a *Actions) dequeue(ctx context.Context, export *record.Record) {
	if export.State != record.Scheduled && export.State != record.Queued {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(a.Wait, 5*time.Second))
	defer cancel()
	if err := a.remove(ctx, a.Job(export.ID)); err != nil {
		a.Log.Warn("job not dequeued", "export", export.ID, "err", err)
	}
}

// remove removes a job from where it waits, in the order in which it moves: the relay takes
// it from the outbox to Redis, and the scheduler from the delayed jobs to the queue.
func (a *Actions) remove(ctx context.Context, job resque.Job) error {
	conns, err := a.DB.DB.DB()
	if err == nil {
		_, err = outbox.Remove(ctx, conns, job)
	}
	if err == nil {
		_, err = a.Client.RemoveDelayed(ctx, job)
	}
	if err == nil {
		_, _, err = a.Client.Dequeue(ctx, job)
	}
	return err
}
