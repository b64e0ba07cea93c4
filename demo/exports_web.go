package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"
)

// exportsPerPage is how many exports the index shows.
const exportsPerPage = 50

// queueTimeout bounds how long a visitor waits for a Redis that does not answer.
const queueTimeout = 5 * time.Second

// index lists the exports, newest first.
//
// Ruby: exports#index.
func (w *webApp) index(rw http.ResponseWriter, r *http.Request) error {
	exports, err := w.db.latest(r.Context(), exportsPerPage)
	if err != nil {
		return err
	}
	return w.pages.render(rw, http.StatusOK, "exports.html", newIndexView(w, exports, takeFlash(rw, r)))
}

// create stores an empty export, has it filled later, and answers at once.
//
// Ruby: exports#create.
func (w *webApp) create(rw http.ResponseWriter, r *http.Request) error {
	// From here on a visitor who leaves must not leave an export behind that
	// is stored but not queued.
	ctx := context.WithoutCancel(r.Context())
	export, err := w.db.create(ctx, w.cfg.rows, w.cfg.seconds)
	if err != nil {
		return err
	}
	return w.populate(ctx, rw, r, export)
}

// retry has a failed export filled again. Asked twice, it is queued once.
func (w *webApp) retry(rw http.ResponseWriter, r *http.Request) error {
	export, err := w.find(r)
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(r.Context())
	queue, err := export.retry(ctx)
	if err != nil {
		return err
	}
	if !queue {
		http.Redirect(rw, r, "/exports", http.StatusSeeOther)
		return nil
	}
	return w.populate(ctx, rw, r, export)
}

func (w *webApp) populate(ctx context.Context, rw http.ResponseWriter, r *http.Request, export *Export) error {
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	if err := export.AsyncPopulate(ctx, w.jobs); err != nil {
		return &queueError{export: export, err: err}
	}
	setFlash(rw, flashCreated)
	http.Redirect(rw, r, "/exports", http.StatusSeeOther)
	return nil
}

// show is one export: as JSON for the script that waits for it, as a page for
// a person.
//
// Ruby: exports#show.
func (w *webApp) show(rw http.ResponseWriter, r *http.Request) error {
	export, err := w.find(r)
	if err != nil {
		return err
	}
	if wantsJSON(r) {
		return renderJSON(rw, http.StatusOK, newExportJSON(export))
	}
	return w.pages.render(rw, http.StatusOK, "export.html", newShowView(export))
}

// download is the finished file.
func (w *webApp) download(rw http.ResponseWriter, r *http.Request) error {
	export, err := w.find(r)
	if err != nil {
		return err
	}
	data, err := export.file(r.Context())
	if errors.Is(err, errNotReady) {
		return &statusError{http.StatusConflict, "Not ready yet", fmt.Sprintf("Export %d has no file to download.", export.ID)}
	}
	if err != nil {
		return err
	}
	name := fmt.Sprintf("export-%d.csv", export.ID)
	rw.Header().Set("Content-Type", "text/csv; charset=utf-8")
	rw.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	rw.Header().Set("ETag", fmt.Sprintf(`"%d-%d"`, export.ID, export.Attempt))
	http.ServeContent(rw, r, name, export.UpdatedAt, bytes.NewReader(data))
	return nil
}

// find fetches the export that the path names.
func (w *webApp) find(r *http.Request) (*Export, error) {
	id, err := strconv.ParseInt(mux.Vars(r)["id"], 10, 64)
	if err != nil {
		return nil, errNoPage()
	}
	return w.db.find(r.Context(), id)
}
