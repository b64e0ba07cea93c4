// Package status says how far an export is: in words and on a row of the page, and
// as JSON for programs.
package status

import (
	"fmt"
	"net/http"
	"time"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/demo/site"
	"github.com/goresque/goresque/demo/words"
)

// Row is what the page shows of an export.
type Row struct {
	*record.Record

	Path, Label, Text string
}

// NewRow returns the row of an export. Places are those in the queue.
func NewRow(r *record.Record, places map[int64]int) Row {
	label := map[record.State]string{
		record.Queued: "Queued", record.Building: "Building", record.Ready: "Ready",
		record.Failed: "Failed", record.Cancelled: "Cancelled", record.Expired: "Expired",
	}[r.State]
	return Row{r, Path(r), label, text(r, places)}
}

// Day returns the day on which the export was asked for.
func (v Row) Day() string { return v.CreatedAt.Format("2 Jan") }

// Clock returns the time of that day.
func (v Row) Clock() string { return v.CreatedAt.Format(time.TimeOnly) }

// CreatedISO returns both for a browser.
func (v Row) CreatedISO() string { return v.CreatedAt.UTC().Format(time.RFC3339) }

// Size returns the size of the file.
func (v Row) Size() string { return words.Size(v.Bytes) }

// Until returns when the file expires.
func (v Row) Until() string { return v.ExpiresAt.Local().Format("2 Jan, 15:04") }

// JSON is what a program gets that waits for an export. The first five fields are
// those of the Rails app that the demo is modelled on.
type JSON struct {
	ID          int64        `json:"id"`
	Complete    bool         `json:"complete"`
	CreatedAt   time.Time    `json:"created_at"`
	UpdatedAt   time.Time    `json:"updated_at"`
	URL         string       `json:"url"`
	State       record.State `json:"state"`
	Version     int64        `json:"version"`
	Progress    Progress     `json:"progress"`
	Message     string       `json:"message"`
	DownloadURL *string      `json:"download_url"`
	Bytes       int64        `json:"bytes"`
	SHA256      string       `json:"sha256"`
	ExpiresAt   *time.Time   `json:"expires_at"`
	Error       *string      `json:"error"`
}

// Progress counts rows.
type Progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// NewJSON returns an export for a program.
func NewJSON(r *record.Record, places map[int64]int) JSON {
	j := JSON{
		ID: r.ID, Complete: r.Complete(), CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
		URL: Path(r), State: r.State, Version: r.Version, Progress: Progress{r.Done, r.Total}, Message: text(r, places),
	}
	switch r.State {
	case record.Ready:
		j.DownloadURL, j.Bytes, j.SHA256, j.ExpiresAt = new(Path(r)+"/download"), r.Bytes, r.SHA256, new(r.ExpiresAt.UTC())
	case record.Failed:
		j.Error = new(r.Message)
	default: // has neither
	}
	return j
}

// Path returns the path of an export's page.
func Path(r *record.Record) string { return fmt.Sprintf("/exports/%d", r.ID) }

// NoFile is the error of an export that has no file, not yet or no longer.
func NoFile(r *record.Record) *site.Error {
	no := &site.Error{Status: http.StatusConflict, Title: "Nothing to download", Text: fmt.Sprintf("Export %d has no file.", r.ID), See: Path(r)}
	switch {
	case r.State == record.Expired || r.State == record.Ready:
		no.Status, no.Title = http.StatusGone, "No longer there"
		no.Text = fmt.Sprintf("The file of export %d was kept for a day. You can have it created again.", r.ID)
		no.Retry = Path(r) + "/retry"
	case !r.Complete():
		no.Title, no.Text = "Not ready yet", fmt.Sprintf("Export %d is still on its way; its page shows how far it is.", r.ID)
	}
	return no
}

// NotFound is the error of an export that does not exist.
func NotFound() *site.Error {
	return &site.Error{Status: http.StatusNotFound, Title: "No such export", Text: "This export does not exist, or no longer."}
}

// Answer answers an action that has changed an export, or came too late for that:
// people see the list, and programs get the export as it is now.
func Answer(rw http.ResponseWriter, r *http.Request, export *record.Record) error {
	switch {
	case !site.WantsJSON(r):
		http.Redirect(rw, r, "/exports", http.StatusSeeOther)
		return nil
	case export.State == record.Deleted:
		return NotFound()
	}
	return site.JSON(rw, http.StatusOK, NewJSON(export, nil))
}

// text says in words how far an export is.
func text(r *record.Record, places map[int64]int) string {
	switch r.State {
	case record.Queued:
		if place := places[r.ID]; place > 0 {
			return words.Ordinal(place) + " in line"
		}
		return "Waiting for a worker"
	case record.Building:
		return words.Thousands(r.Done) + " of " + words.Thousands(r.Total) + " rows" + left(r)
	case record.Ready:
		return words.Thousands(r.Done) + " rows, " + words.Size(r.Bytes)
	case record.Failed:
		return r.Message
	case record.Cancelled:
		return "Stopped as you asked; nothing was kept"
	case record.Expired:
		return "Its file was kept for a day"
	default:
		return ""
	}
}

// left estimates how long building still takes from how long it has taken.
func left(r *record.Record) string {
	if r.Done == 0 || r.StartedAt == nil {
		return ""
	}
	sofar := r.UpdatedAt.Sub(*r.StartedAt)
	switch seconds := int(sofar.Seconds()*float64(r.Total-r.Done)/float64(r.Done) + 0.5); {
	case sofar < time.Second/5:
		return ""
	case seconds < 100:
		return fmt.Sprintf(", about %d s left", max(seconds, 1))
	default:
		return fmt.Sprintf(", about %d min left", (seconds+30)/60)
	}
}
