package demo

import (
	"crypto/rand"
	"embed"
	"net/http"
	"slices"
	"strconv"

	"github.com/goresque/goresque/demo/live"
	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/demo/site"
	"github.com/goresque/goresque/demo/status"
	"github.com/goresque/goresque/demo/words"
)

//go:embed templates static
var pageFiles embed.FS

// flashCreated is the name of the sentence that the next page shows.
const flashCreated = "created"

// exportsPerPage is how many exports the index shows.
const exportsPerPage = 50

// indexView is what the list of exports shows.
type indexView struct {
	site.Head

	Flash    string
	Finished *status.Row // the export that the page says is ready
	Token    string      // of the form
	Exports  []status.Row
	Limited  bool
	NoWorker bool
	Story    storyView
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
	v.Limited, v.Token = len(all) == exportsPerPage, rand.Text()
	for _, e := range all {
		row := status.NewRow(&e.Record, places)
		v.Exports = append(v.Exports, row)
		v.Waiting = v.Waiting || !e.Complete()
		if e.State == record.Ready && r.FormValue("ready") == strconv.FormatInt(e.ID, 10) {
			v.Finished, v.Mark = &row, "✓ "
		}
	}
	if r.Header.Get("X-Fragment") == "" { // the script that looks at the page takes no flash away
		if site.TakeFlash(rw, r) == flashCreated {
			v.Flash = "Your export is being created, please wait."
		}
	}
	v.NoWorker = a.unserved(r.Context())
	v.Story = a.story(storyOf(all), v.Live)
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

// storyView is what the panel "What happens" shows, with real values.
type storyView struct {
	Rows, Seconds string
	ID            int64 // of an export to tell the story with
	Class, Queue  string
	Payload       string
	Live          string
}

func (a *exportsApp) story(id int64, live string) storyView {
	v := storyView{
		ID: id, Class: Exporter.Class(), Queue: Exporter.Queue(), Live: live,
		Rows: words.Thousands(a.rows), Seconds: strconv.FormatFloat(a.seconds, 'f', -1, 64),
	}
	if payload, err := Exporter.Job(v.ID).Encode(); err == nil {
		v.Payload = string(payload)
	}
	return v
}

// storyOf returns the export to tell the story with: not a cancelled one, because
// its job does nothing.
func storyOf(all []*Export) int64 {
	if i := slices.IndexFunc(all, func(e *Export) bool { return e.State != record.Cancelled }); i >= 0 {
		return all[i].ID
	}
	return 1
}
