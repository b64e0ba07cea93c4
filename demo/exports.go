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
	"gorm.io/gorm"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/demo/site"
	"github.com/goresque/goresque/demo/status"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/outbox"
)

// exportsApp is the web app: it stores exports with their jobs and shows their progress.
type exportsApp struct {
	exports exports
	relay   *outbox.Relay // enqueues the jobs that were stored
	jobs    *resque.Client
	site    *site.Site

	rows    int           // of each new export
	seconds float64       // that each new export takes
	later   time.Duration // until a scheduled export is due
	wait    time.Duration // how long a page waits for Redis at most; 0 means as long as each should

	unserved func(ctx context.Context) bool // reports whether the queue has no worker
}

// queueTimeout limits how long a visitor waits for a Redis that does not answer.
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
	post("/schedule", a.schedule)
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

// create stores an empty export and its job, and answers at once. The relay enqueues the
// job, now or, if Redis is away, when it is back. With when=later the job is delayed. If the same form is sent twice, as by a double click, create stores
// one export.
//
// Ruby: exports#create.
func (a *exportsApp) create(rw http.ResponseWriter, r *http.Request) error {
	token := r.PostFormValue("token")
	if token == "" {
		token = r.Header.Get("Idempotency-Key") // from a program, which has no form
	}
	if len(token) > 100 {
		return &site.Error{Status: http.StatusBadRequest, Title: "Bad request", Text: "The form's token is longer than 100 bytes."}
	}
	var delay time.Duration
	switch when := r.PostFormValue("when"); when {
	case "", "now":
	case "later":
		delay = a.later
	default:
		return &site.Error{Status: http.StatusBadRequest, Title: "Bad request", Text: fmt.Sprintf("An export can be built now or later, not %q.", when)}
	}
	// If the visitor leaves now, the export must still be stored.
	export, _, err := a.exports.create(context.WithoutCancel(r.Context()), a.rows, a.seconds, delay, token)
	if err != nil {
		return err
	}
	a.relay.Wake()
	return a.accepted(rw, r, export)
}

// accepted answers that the export will be built, and where to find it.
func (a *exportsApp) accepted(rw http.ResponseWriter, r *http.Request, export *Export) error {
	if !site.WantsJSON(r) {
		flash := flashCreated
		if export.State == record.Scheduled {
			flash = flashScheduled
		}
		site.SetFlash(rw, r, flash)
		http.Redirect(rw, r, "/exports", http.StatusSeeOther)
		return nil
	}
	rw.Header().Set("Location", status.Path(&export.Record))
	rw.Header().Set("Retry-After", "1")
	return site.JSON(rw, http.StatusAccepted, status.NewJSON(&export.Record, nil))
}

// show answers with one export: a page for a person, JSON for a program. A program
// asks again until the export is complete.
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

// download answers with the file, or with the part of it that a browser asks for.
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
		site.KeepOpen(rw, time.Minute) // each piece may take a minute on a slow connection
	}))
	return nil
}

// retry stores the job of an export again. Two requests store it once.
func (a *exportsApp) retry(rw http.ResponseWriter, r *http.Request, export *Export) error {
	ctx := context.WithoutCancel(r.Context())
	queued, err := export.Retry(ctx, func(tx *gorm.DB) error { return export.AsyncPopulate(ctx, tx) })
	if err != nil {
		return err
	}
	if queued {
		a.relay.Wake()
		return a.accepted(rw, r, export)
	}
	return status.Answer(rw, r, &export.Record)
}

// withExport makes an action of one that needs the export which the path names.
func (a *exportsApp) withExport(action func(http.ResponseWriter, *http.Request, *Export) error) site.Action {
	return func(rw http.ResponseWriter, r *http.Request) error {
		id, err := idOf(r)
		if err != nil {
			return err
		}
		export, err := a.exports.find(r.Context(), id)
		if errors.As(err, new(*notFoundError)) {
			return status.NotFound()
		}
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
