package demo

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/mux"
)

// exportsPerPage is how many exports the index shows.
const exportsPerPage = 50

// queueTimeout bounds how long a visitor waits for a Redis that does not answer.
const queueTimeout = 5 * time.Second

// index lists the exports, newest first: as a page, or as JSON, which can wait
// for changes.
//
// Ruby: exports#index.
func (w *webApp) index(rw http.ResponseWriter, r *http.Request) error {
	if wantsJSON(r) {
		return w.indexJSON(rw, r)
	}
	view, err := w.indexView(rw, r)
	if err != nil {
		return err
	}
	return w.pages.render(rw, http.StatusOK, "exports.html", view)
}

// create stores an empty export, has it filled later, and answers at once. A form
// that comes twice, as of a double click, finds the export of the first time.
//
// Ruby: exports#create.
func (w *webApp) create(rw http.ResponseWriter, r *http.Request) error {
	token := r.PostFormValue("token")
	if token == "" {
		token = r.Header.Get("Idempotency-Key") // for clients without a form
	}
	if len(token) > 100 {
		return &statusError{http.StatusBadRequest, "Not like that", "The token of the form is too long."}
	}
	// From here on a visitor who leaves must not leave an export behind that
	// is stored but not queued.
	ctx := context.WithoutCancel(r.Context())
	export, made, err := w.db.createOnce(ctx, w.cfg.rows, w.cfg.seconds, token)
	if err != nil {
		return err
	}
	if !made {
		return w.accepted(rw, r, export)
	}
	return w.populate(ctx, rw, r, export)
}

// retry has an export filled again. Asked twice, it is queued once.
func (w *webApp) retry(rw http.ResponseWriter, r *http.Request, export *Export) error {
	ctx := context.WithoutCancel(r.Context())
	queue, err := export.retry(ctx)
	if err != nil {
		return err
	}
	if !queue {
		return w.done(rw, r, export)
	}
	return w.populate(ctx, rw, r, export)
}

func (w *webApp) populate(ctx context.Context, rw http.ResponseWriter, r *http.Request, export *Export) error {
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	if err := export.AsyncPopulate(ctx, w.jobs); err != nil {
		return &queueError{export: export, err: err}
	}
	return w.accepted(rw, r, export)
}

// accepted says that an export is on its way, and where to ask for it.
func (w *webApp) accepted(rw http.ResponseWriter, r *http.Request, export *Export) error {
	if !wantsJSON(r) {
		setFlash(rw, flashCreated)
		http.Redirect(rw, r, "/exports", http.StatusSeeOther)
		return nil
	}
	rw.Header().Set("Location", pathOf(export))
	rw.Header().Set("Retry-After", "1")
	return renderJSON(rw, http.StatusAccepted, newExportJSON(export, nil))
}

// cancel takes an export's job from the queue, or has its run end.
func (w *webApp) cancel(rw http.ResponseWriter, r *http.Request, export *Export) error {
	ctx := context.WithoutCancel(r.Context())
	w.dequeue(ctx, export)
	if _, err := export.cancel(ctx); err != nil {
		return err
	}
	return w.done(rw, r, export)
}

// remove deletes an export and its file.
func (w *webApp) remove(rw http.ResponseWriter, r *http.Request, export *Export) error {
	ctx := context.WithoutCancel(r.Context())
	w.dequeue(ctx, export)
	if err := export.remove(ctx); err != nil {
		return err
	}
	if wantsJSON(r) {
		rw.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(rw, r, "/exports", http.StatusSeeOther)
	return nil
}

// dequeue removes the job of an export that waits: before the record is changed,
// so that the job of a later retry is safe. One that stays, because Redis is away
// or a worker was faster, does nothing when it runs.
func (w *webApp) dequeue(ctx context.Context, export *Export) {
	if export.State != Queued {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	if _, _, err := w.jobs.Dequeue(ctx, Exporter.With(export.ID)); err != nil {
		w.cfg.log.Warn("job not dequeued", "export", export.ID, "err", err)
	}
}

// done answers what has changed an export, with the export as it is now.
func (w *webApp) done(rw http.ResponseWriter, r *http.Request, export *Export) error {
	if !wantsJSON(r) {
		http.Redirect(rw, r, "/exports", http.StatusSeeOther)
		return nil
	}
	export, err := w.db.find(r.Context(), export.ID)
	if err != nil {
		return err
	}
	return renderJSON(rw, http.StatusOK, newExportJSON(export, nil))
}

// show is one export: as JSON for a client that waits for it, as a page for
// a person.
//
// Ruby: exports#show.
func (w *webApp) show(rw http.ResponseWriter, r *http.Request, export *Export) error {
	if wantsJSON(r) {
		return w.showJSON(rw, r, export)
	}
	view, err := w.showView(rw, r, export)
	if err != nil {
		return err
	}
	return w.pages.render(rw, http.StatusOK, "export.html", view)
}

// download is the finished file, or a part of it that the browser asks for.
func (w *webApp) download(rw http.ResponseWriter, r *http.Request, export *Export) error {
	if export.State != Ready || export.ExpiresAt.Before(time.Now()) {
		return &noFileError{export}
	}
	h := rw.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	name := fmt.Sprintf("Customers – export %d.csv", export.ID)
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="export-%d.csv"; filename*=UTF-8''%s`, export.ID, url.PathEscape(name)))
	h.Set("ETag", `"`+export.SHA256+`"`)
	line := http.NewResponseController(rw)
	http.ServeContent(rw, r, "", export.UpdatedAt, &file{ctx: r.Context(), export: export, loaded: func() {
		_ = line.SetWriteDeadline(time.Now().Add(time.Minute)) // for each piece, however slow the line
	}})
	return nil
}

// exportAction is an action on the export that the path names.
type exportAction func(rw http.ResponseWriter, r *http.Request, export *Export) error

func (w *webApp) withExport(a exportAction) action {
	return func(rw http.ResponseWriter, r *http.Request) error {
		id, err := strconv.ParseInt(mux.Vars(r)["id"], 10, 64)
		if err != nil {
			return errNoPage()
		}
		export, err := w.db.find(r.Context(), id)
		if err != nil {
			return err
		}
		return a(rw, r, export)
	}
}
