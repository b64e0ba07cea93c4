package demo

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strconv"
)

// head is what the layout needs of each page.
type head struct {
	Mode    string // problem or solution
	Live    string // how the page learns of changes; nothing if there are none
	Waiting bool   // for an export: a browser without scripts looks again
	Version int64  // of what the page shows
	Only    int64  // the one export that the page is about; none on the index
	Mark    string // before the title
}

// indexView is what the list of exports shows.
type indexView struct {
	head
	Flash    string
	Finished *rowView // the export of which the visitor is told that it is ready
	Token    string   // of the form
	Exports  []rowView
	Limited  bool
	NoWorker bool
	Story    storyView
}

// storyView is what the panel about what happens shows, with real values.
type storyView struct {
	Rows, Seconds string
	ID            int64 // of an export to tell the story with
	Class, Queue  string
	Payload       string
	Live          string
}

func (w *webApp) indexView(rw http.ResponseWriter, r *http.Request) (v indexView, err error) {
	v.head = head{Mode: "solution", Live: liveMode(rw, r)}
	if v.Version, err = w.db.version(r.Context()); err != nil {
		return v, err
	}
	exports, err := w.db.latest(r.Context(), exportsPerPage)
	if err != nil {
		return v, err
	}
	places, err := w.db.line(r.Context())
	if err != nil {
		return v, err
	}
	v.Limited, v.Token = len(exports) == exportsPerPage, rand.Text()
	for _, e := range exports {
		row := newRowView(e, places)
		v.Exports = append(v.Exports, row)
		v.Waiting = v.Waiting || !e.Complete()
		if e.State == Ready && r.FormValue("ready") == strconv.FormatInt(e.ID, 10) {
			v.Finished, v.Mark = &row, "✓ "
		}
	}
	if r.Header.Get("X-Fragment") == "" { // the script's look at the page takes no flash away
		v.Flash = takeFlash(rw, r)
	}
	v.NoWorker = w.fleet.nobody(r.Context())
	v.Story = w.story(exports, v.Live)
	return v, nil
}

func (w *webApp) story(exports []*Export, live string) storyView {
	v := storyView{
		ID: 1, Class: Exporter.Class(), Queue: Exporter.Queue(), Live: live,
		Rows: thousands(w.cfg.rows), Seconds: strconv.FormatFloat(w.cfg.seconds, 'f', -1, 64),
	}
	// A cancelled one is no use: its job does nothing.
	if i := slices.IndexFunc(exports, func(e *Export) bool { return e.State != Cancelled }); i >= 0 {
		v.ID = exports[i].ID
	}
	if payload, err := Exporter.With(v.ID).Payload(); err == nil {
		v.Payload = string(payload)
	}
	return v
}

// showView is what the page of one export shows.
type showView struct {
	head
	Export   rowView
	NoWorker bool
}

func (w *webApp) showView(rw http.ResponseWriter, r *http.Request, e *Export) (v showView, err error) {
	places, err := w.db.line(r.Context())
	if err != nil {
		return v, err
	}
	v.head = head{Mode: "solution", Live: liveMode(rw, r), Waiting: !e.Complete(), Version: e.Version, Only: e.ID}
	if e.State == Ready {
		v.Mark = "✓ "
	}
	v.Export = newRowView(e, places)
	v.NoWorker = !e.Complete() && w.fleet.nobody(r.Context())
	return v, nil
}
