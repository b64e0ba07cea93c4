package demo

import (
	"fmt"
	"strconv"
	"time"
)

// head is what the layout needs of each page.
type head struct {
	Waiting bool // for an export: a browser without scripts looks again
}

// indexView is what the list of exports shows.
type indexView struct {
	head
	Flash   string
	Exports []rowView
	Limited bool
	Story   storyView
}

// storyView is what the panel about what happens shows, with real values.
type storyView struct {
	Rows, Seconds string
	ID            int64 // of an export to tell the story with
	Class, Queue  string
	Payload       string
}

func newIndexView(w *webApp, exports []*Export, flash string) indexView {
	v := indexView{Flash: flash, Limited: len(exports) == exportsPerPage}
	for _, e := range exports {
		v.Exports = append(v.Exports, newRowView(e))
		v.Waiting = v.Waiting || !e.Complete()
	}
	v.Story = storyView{
		ID: 1, Class: Exporter.Class(), Queue: Exporter.Queue(),
		Rows: thousands(w.cfg.rows), Seconds: strconv.FormatFloat(w.cfg.seconds, 'f', -1, 64),
	}
	if len(exports) > 0 {
		v.Story.ID = exports[0].ID
	}
	if payload, err := Exporter.With(v.Story.ID).Payload(); err == nil {
		v.Story.Payload = string(payload)
	}
	return v
}

// showView is what the page of one export shows.
type showView struct {
	head
	Export rowView
}

func newShowView(e *Export) showView {
	return showView{head{!e.Complete()}, newRowView(e)}
}

// rowView is what a row of the list shows.
type rowView struct {
	*Export
	Path, Label, Text string
}

func newRowView(e *Export) rowView { return rowView{e, path(e), label(e), text(e)} }

func (v rowView) Created() string    { return v.CreatedAt.Format("2 Jan, 15:04:05") }
func (v rowView) CreatedISO() string { return v.CreatedAt.UTC().Format(time.RFC3339) }

// exportJSON is what the script gets that waits for an export. The first five
// fields are those of the Rails app this demo is modelled on.
type exportJSON struct {
	ID          int64     `json:"id"`
	Complete    bool      `json:"complete"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	URL         string    `json:"url"`
	State       State     `json:"state"`
	Progress    progress  `json:"progress"`
	Message     string    `json:"message"`
	DownloadURL *string   `json:"download_url"`
	Error       *string   `json:"error"`
}

type progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

func newExportJSON(e *Export) exportJSON {
	j := exportJSON{
		ID: e.ID, Complete: e.Complete(), CreatedAt: e.CreatedAt.UTC(), UpdatedAt: e.UpdatedAt.UTC(),
		URL: path(e), State: e.State, Progress: progress{e.Done, e.Total}, Message: text(e),
	}
	switch e.State {
	case Ready:
		j.DownloadURL = new(path(e) + "/download")
	case Failed:
		j.Error = new(e.Message)
	case Queued, Building:
	}
	return j
}

func path(e *Export) string { return fmt.Sprintf("/exports/%d", e.ID) }

func label(e *Export) string {
	switch e.State {
	case Queued:
		return "Queued"
	case Building:
		return "Building"
	case Ready:
		return "Ready"
	case Failed:
		return "Failed"
	default:
		return string(e.State)
	}
}

// text says in words how far an export is.
func text(e *Export) string {
	switch e.State {
	case Queued:
		return "Waiting for a worker"
	case Building:
		return thousands(e.Done) + " of " + thousands(e.Total) + " rows"
	case Ready:
		return fmt.Sprintf("%s rows, %s kB", thousands(e.Done), thousands((e.Bytes+999)/1000))
	case Failed:
		return e.Message
	default:
		return ""
	}
}

// thousands writes 10000 as 10,000.
func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
