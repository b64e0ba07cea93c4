// Package status shows the state and progress of an export: to people as a row of the
// page, to programs as JSON.
package status

import (
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/demo/site"
	"github.com/goresque/goresque/demo/words"
)

// Row is an export as the page shows it.
type Row struct {
	*record.Record

	Path, Label, Text string
}

// NewRow returns the row of an export. Places has the places in the queue by export
// id, counted from 1.
func NewRow(r *record.Record, places map[int64]int) Row {
	label := map[record.State]string{
		record.Scheduled: "Scheduled", record.Queued: "Queued", record.Building: "Building", record.Ready: "Ready",
		record.Failed: "Failed", record.Canceled: "Canceled", record.Expired: "Expired",
	}[r.State]
	return Row{r, Path(r), label, text(r, places)}
}

// Day returns the day on which the export was created.
func (v Row) Day() string { return v.CreatedAt.Format("2 Jan") }

// Clock returns the time at which the export was created.
func (v Row) Clock() string { return v.CreatedAt.Format(time.TimeOnly) }

// CreatedISO returns the day and the time for the browser.
func (v Row) CreatedISO() string { return v.CreatedAt.UTC().Format(time.RFC3339) }

// Size returns the size of the file.
func (v Row) Size() string { return words.Size(v.Bytes) }

// Until returns when the file expires.
func (v Row) Until() string { return v.ExpiresAt.Local().Format("2 Jan, 15:04") }

// Left returns the seconds until a scheduled export is due; 0 if it is due.
func (v Row) Left() int {
	if v.State != record.Scheduled || v.DueAt == nil {
		return 0
	}
	return SecondsUntil(*v.DueAt)
}

// SecondsUntil returns the seconds until a time, rounded up; 0 if it has passed.
func SecondsUntil(t time.Time) int { return max(0, int(math.Ceil(time.Until(t).Seconds()))) }

// JSON is an export as a program gets it. The first five fields are those of the
// Rails app that the demo is modelled on.
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
	DueAt       *time.Time   `json:"due_at"`
	ExpiresAt   *time.Time   `json:"expires_at"`
	Error       *string      `json:"error"`
}

// Progress is a number of rows.
type Progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// NewJSON returns the JSON of an export. Places is as in NewRow.
func NewJSON(r *record.Record, places map[int64]int) JSON {
	j := JSON{
		ID: r.ID, Complete: r.Complete(), CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
		URL: Path(r), State: r.State, Version: r.Version, Progress: Progress{r.Done, r.Total}, Message: text(r, places),
	}
	switch r.State {
	case record.Ready:
		download, expires := Path(r)+"/download", r.ExpiresAt.UTC()
		j.DownloadURL, j.Bytes, j.SHA256, j.ExpiresAt = &download, r.Bytes, r.SHA256, &expires
	case record.Scheduled:
		if r.DueAt != nil {
			due := r.DueAt.UTC()
			j.DueAt = &due
		}
	case record.Failed:
		message := r.Message
		j.Error = &message
	default: // the other states have none of these
	}
	return j
}

// Path returns the path of an export's page.
func Path(r *record.Record) string { return fmt.Sprintf("/exports/%d", r.ID) }

// NoFile returns the error for the download of an export that has no file.
func NoFile(r *record.Record) *site.Error {
	no := &site.Error{Status: http.StatusConflict, Title: "Nothing to download", Text: fmt.Sprintf("Export %d has no file.", r.ID), See: Path(r)}
	switch {
	case r.State == record.Expired || r.State == record.Ready:
		no.Status, no.Title = http.StatusGone, "File expired"
		no.Text = fmt.Sprintf("A file is kept for a day, and that of export %d has expired. You can create it again.", r.ID)
		no.Retry = Path(r) + "/retry"
	case !r.Complete():
		no.Title, no.Text = "Not ready yet", fmt.Sprintf("Export %d is not ready yet. Its page shows the progress.", r.ID)
	}
	return no
}

// NotFound returns the error for an export that does not exist.
func NotFound() *site.Error {
	return &site.Error{Status: http.StatusNotFound, Title: "No such export", Text: "This export does not exist. It may have been deleted."}
}

// Answer answers an action that has changed an export, or came too late to change
// it. It redirects people to the list and sends programs the current export.
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

// text describes the state and progress of an export in words.
func text(r *record.Record, places map[int64]int) string {
	switch r.State {
	case record.Scheduled:
		if r.DueBy(time.Now()) {
			return "Due now, waits for a scheduler"
		}
		return "Starts at " + r.DueAt.Local().Format(time.TimeOnly)
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
	case record.Canceled:
		return "You canceled it, so it has no file"
	case record.Expired:
		return "Its file was deleted after a day"
	default:
		return ""
	}
}

// left estimates the remaining time from the time taken so far.
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
