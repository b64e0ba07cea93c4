// Package cancel lets a visitor stop an export, or delete it, whether its job waits
// or runs.
package cancel

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/demo/site"
	"github.com/goresque/goresque/demo/status"
	"github.com/goresque/goresque/resque"
)

// Actions change exports.
type Actions struct {
	Client *resque.Client
	Job    func(id int64) resque.Job // the job of an export
	Log    *slog.Logger
}

// Cancel removes an export's job from the queue, or ends its run.
func (a *Actions) Cancel(rw http.ResponseWriter, r *http.Request, export *record.Record) error {
	ctx := context.WithoutCancel(r.Context()) // a visitor who leaves now has asked for both
	a.dequeue(ctx, export)
	if _, err := export.Cancel(ctx); err != nil {
		return err
	}
	return status.Answer(rw, r, export)
}

// Delete deletes an export and its file.
func (a *Actions) Delete(rw http.ResponseWriter, r *http.Request, export *record.Record) error {
	ctx := context.WithoutCancel(r.Context()) // a visitor who leaves now has asked for both
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

// dequeue removes the job of an export that waits. It comes before the change of
// the record, so that it cannot remove the job of a later retry. A job that stays,
// because Redis is away or a worker was faster, does nothing when it runs.
func (a *Actions) dequeue(ctx context.Context, export *record.Record) {
	if export.State != record.Queued {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, _, err := a.Client.Dequeue(ctx, a.Job(export.ID)); err != nil {
		a.Log.Warn("job not dequeued", "export", export.ID, "err", err)
	}
}
