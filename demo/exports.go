package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/demo/site"
	"github.com/goresque/goresque/demo/status"
	"github.com/goresque/goresque/resque"
)

// exportsApp is the web app: it stores exports, enqueues their jobs, and shows how
// far they are.
type exportsApp struct {
	exports exports
	jobs    *resque.Client
	site    *site.Site

	rows    int     // of each new export
	seconds float64 // that each new export takes

	unserved func(ctx context.Context) bool // reports that no worker serves the queue
}

// queueTimeout bounds how long a visitor waits for a Redis that does not answer.
const queueTimeout = 5 * time.Second

func (a *exportsApp) routes(r *mux.Router) {
	get := func(path string, action site.Action) {
		r.Handle(path, a.site.Handle(action)).Methods(http.MethodGet, http.MethodHead)
	}
	post := func(path string, action site.Action) {
		r.Handle(path, a.site.Handle(action)).Methods(http.MethodPost)
	}
	get("/exports", a.index)
	post("/exports", a.create)
	get("/exports/{id}", a.withExport(a.show))
	get("/exports/{id}/download", a.withExport(a.download))
	post("/exports/{id}/retry", a.withExport(a.retry))
}

// index lists the exports, newest first.
//
// Ruby: exports#index.
func (a *exportsApp) index(rw http.ResponseWriter, r *http.Request) error {
	view, err := a.indexView(rw, r)
	if err != nil {
		return err
	}
	return a.site.Render(rw, http.StatusOK, "exports.html", view)
}

// create stores an empty export, has a worker fill it later, and answers at once.
// The same form twice, as after a double click, is one export.
//
// Ruby: exports#create.
func (a *exportsApp) create(rw http.ResponseWriter, r *http.Request) error {
	token := r.PostFormValue("token")
	if token == "" {
		token = r.Header.Get("Idempotency-Key") // for programs, which have no form
	}
	if len(token) > 100 {
		return &site.Error{Status: http.StatusBadRequest, Title: "Not like that", Text: "The token of the form is too long."}
	}
	// A visitor who leaves now must not leave an export behind that is stored and
	// not queued.
	ctx := context.WithoutCancel(r.Context())
	export, made, err := a.exports.create(ctx, a.rows, a.seconds, token)
	if err != nil {
		return err
	}
	if !made {
		return a.accepted(rw, r, export)
	}
	return a.populate(ctx, rw, r, export)
}

func (a *exportsApp) populate(ctx context.Context, rw http.ResponseWriter, r *http.Request, export *Export) error {
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	if err := export.AsyncPopulate(ctx, a.jobs); err != nil {
		return &site.Error{
			Status: http.StatusServiceUnavailable, Title: "Your export could not be queued",
			Text:  "The queue, which lives in Redis, cannot be reached at the moment. Your export is kept: once Redis is back, try again.",
			Retry: status.Path(&export.Record) + "/retry", Cause: err,
		}
	}
	return a.accepted(rw, r, export)
}

// accepted answers that an export will be made, and where to ask for it.
func (a *exportsApp) accepted(rw http.ResponseWriter, r *http.Request, export *Export) error {
	if !site.WantsJSON(r) {
		site.SetFlash(rw, r, flashCreated)
		http.Redirect(rw, r, "/exports", http.StatusSeeOther)
		return nil
	}
	rw.Header().Set("Location", status.Path(&export.Record))
	rw.Header().Set("Retry-After", "1")
	return site.JSON(rw, http.StatusAccepted, status.NewJSON(&export.Record, nil))
}

// show is one export: a page for a person, JSON for a program, which asks again
// until it is complete.
//
// Ruby: exports#show.
func (a *exportsApp) show(rw http.ResponseWriter, r *http.Request, export *Export) error {
	places, err := record.Line(r.Context(), a.exports.db)
	if err != nil {
		return err
	}
	if site.WantsJSON(r) {
		return site.TaggedJSON(rw, r, status.NewJSON(&export.Record, places))
	}
	return a.site.Render(rw, http.StatusOK, "export.html", a.showView(rw, r, export, places))
}

// download is the finished file, or the part of it that a browser asks for.
func (a *exportsApp) download(rw http.ResponseWriter, r *http.Request, export *Export) error {
	if export.State != record.Ready || export.ExpiresAt.Before(time.Now()) {
		return status.NoFile(&export.Record)
	}
	h := rw.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	name := fmt.Sprintf("Customers – export %d.csv", export.ID)
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="export-%d.csv"; filename*=UTF-8''%s`, export.ID, url.PathEscape(name)))
	h.Set("ETag", `"`+export.SHA256+`"`)
	http.ServeContent(rw, r, "", export.UpdatedAt, export.Open(r.Context(), func() {
		site.KeepOpen(rw, time.Minute) // for each piece, however slow the line
	}))
	return nil
}

// retry has a worker fill an export again. Asked twice, it is queued once.
func (a *exportsApp) retry(rw http.ResponseWriter, r *http.Request, export *Export) error {
	ctx := context.WithoutCancel(r.Context())
	queue, err := export.Retry(ctx)
	if err != nil {
		return err
	}
	if queue {
		return a.populate(ctx, rw, r, export)
	}
	return status.Answer(rw, r, &export.Record)
}

// exportAction is an action on the export that the path names.
type exportAction func(rw http.ResponseWriter, r *http.Request, export *Export) error

func (a *exportsApp) withExport(action exportAction) site.Action {
	return func(rw http.ResponseWriter, r *http.Request) error {
		id, err := idOf(r)
		if err != nil {
			return err
		}
		export, err := a.find(r.Context(), id)
		if err != nil {
			return err
		}
		return action(rw, r, export)
	}
}

func idOf(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(mux.Vars(r)["id"], 10, 64)
	if err != nil {
		return 0, site.NoPage()
	}
	return id, nil
}

func (a *exportsApp) find(ctx context.Context, id int64) (*Export, error) {
	export, err := a.exports.find(ctx, id)
	if _, none := errors.AsType[*notFoundError](err); none {
		return nil, status.NotFound()
	}
	return export, err
}
