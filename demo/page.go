package demo

import (
	"crypto/rand"
	"embed"
	"net/http"
	"strconv"

	"github.com/goresque/goresque/demo/live"
	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/demo/site"
	"github.com/goresque/goresque/demo/status"
)

//go:embed templates static
var pageFiles embed.FS

const (
	exportsPerPage = 50

	flashCreated   = "created" // the name in the cookie; the page shows a sentence
	flashScheduled = "scheduled"
)

// indexView is what the list of exports shows.
type indexView struct {
	site.Head

	Flash    string
	Finished *status.Row // the export that has just become ready
	Token    string      // of the form
	Later    int         // seconds that a scheduled export waits
	Schedule scheduleView
	Exports  []status.Row
	Limited  bool // older exports are not listed
	NoWorker bool
	Story    panel
}

func (a *exportsApp) indexView(rw http.ResponseWriter, r *http.Request) (v indexView, err error) {
	v.Head = site.Head{Mode: "solution", Live: live.Mode(rw, r)}
	if v.Version, err = record.Version(r.Context(), a.exports.db); err != nil {
		return v, err
	}
	all, err := a.exports.latest(r.Context(), exportsPerPage)
	if err != nil {
		return v, err
	}
	places, err := record.Line(r.Context(), a.exports.db)
	if err != nil {
		return v, err
	}
	v.Schedule, v.Later = a.scheduleView(r.Context()), int(a.later.Seconds())
	v.Limited, v.Token = len(all) == exportsPerPage, rand.Text()
	scheduled := false
	for _, e := range all {
		row := status.NewRow(&e.Record, places)
		v.Exports = append(v.Exports, row)
		v.Waiting = v.Waiting || !e.Complete()
		scheduled = scheduled || e.State == record.Scheduled
		if e.State == record.Ready && r.FormValue("ready") == strconv.FormatInt(e.ID, 10) {
			v.Finished, v.Mark = &row, "✓ "
		}
	}
	// The page's script must not take the flash: it is for the next page that the
	// visitor opens.
	if r.Header.Get("X-Fragment") == "" {
		switch site.TakeFlash(rw, r) {
		case flashCreated:
			v.Flash = "Your export is being created, please wait."
		case flashScheduled:
			v.Flash = "Your export is scheduled. It starts by itself when it is due."
		}
	}
	v.NoWorker = a.unserved(r.Context())
	v.Schedule.NoScheduler = v.Schedule.NoScheduler && (scheduled || v.Schedule.Next != "")
	v.Story = a.panel(exampleID(all), v.Live)
	return v, nil
}

// showView is what the page of one export shows.
type showView struct {
	site.Head

	Export   status.Row
	NoWorker bool
}

func (a *exportsApp) showView(rw http.ResponseWriter, r *http.Request, e *Export, places map[int64]int) showView {
	v := showView{
		Head:     site.Head{Mode: "solution", Live: live.Mode(rw, r), Waiting: !e.Complete(), Version: e.Version, Only: e.ID},
		Export:   status.NewRow(&e.Record, places),
		NoWorker: !e.Complete() && a.unserved(r.Context()),
	}
	if e.State == record.Ready {
		v.Mark = "✓ "
	}
	return v
}
