package demo

import (
	"fmt"
	"strconv"
	"time"
)

// rowView is what a row of the list shows.
type rowView struct {
	*Export
	Path, Label, Text string
}

func newRowView(e *Export, places map[int64]int) rowView {
	return rowView{e, pathOf(e), label(e), text(e, places)}
}

func (v rowView) Day() string        { return v.CreatedAt.Format("2 Jan") }
func (v rowView) Clock() string      { return v.CreatedAt.Format(time.TimeOnly) }
func (v rowView) CreatedISO() string { return v.CreatedAt.UTC().Format(time.RFC3339) }
func (v rowView) Size() string       { return size(v.Bytes) }
func (v rowView) Until() string      { return v.ExpiresAt.Local().Format("2 Jan, 15:04") }

// exportJSON is what a client gets that waits for an export. The first five
// fields are those of the Rails app this demo is modelled on.
type exportJSON struct {
	ID          int64      `json:"id"`
	Complete    bool       `json:"complete"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
	URL         string     `json:"url"`
	State       State      `json:"state"`
	Version     int64      `json:"version"`
	Progress    progress   `json:"progress"`
	Message     string     `json:"message"`
	DownloadURL *string    `json:"download_url"`
	Bytes       int64      `json:"bytes"`
	SHA256      string     `json:"sha256"`
	ExpiresAt   *time.Time `json:"expires_at"`
	Error       *string    `json:"error"`
}

type progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

func newExportJSON(e *Export, places map[int64]int) exportJSON {
	j := exportJSON{
		ID: e.ID, Complete: e.Complete(), CreatedAt: e.CreatedAt.UTC(), UpdatedAt: e.UpdatedAt.UTC(),
		URL: pathOf(e), State: e.State, Version: e.Version, Progress: progress{e.Done, e.Total}, Message: text(e, places),
	}
	switch e.State {
	case Ready:
		j.DownloadURL, j.Bytes, j.SHA256, j.ExpiresAt = new(pathOf(e)+"/download"), e.Bytes, e.SHA256, new(e.ExpiresAt.UTC())
	case Failed:
		j.Error = new(e.Message)
	default: // has neither
	}
	return j
}

func pathOf(e *Export) string { return fmt.Sprintf("/exports/%d", e.ID) }

func label(e *Export) string {
	return map[State]string{
		Queued: "Queued", Building: "Building", Ready: "Ready", Failed: "Failed", Cancelled: "Cancelled", Expired: "Expired",
	}[e.State]
}

// text says in words how far an export is.
func text(e *Export, places map[int64]int) string {
	switch e.State {
	case Queued:
		if place := places[e.ID]; place > 0 {
			return ordinal(place) + " in line"
		}
		return "Waiting for a worker"
	case Building:
		return thousands(e.Done) + " of " + thousands(e.Total) + " rows" + left(e)
	case Ready:
		return thousands(e.Done) + " rows, " + size(e.Bytes)
	case Failed:
		return e.Message
	case Cancelled:
		return "Stopped as you asked; nothing was kept"
	case Expired:
		return "Its file was kept for a day"
	default:
		return ""
	}
}

// left says how long building may still take, from how long it has taken.
func left(e *Export) string {
	if e.Done == 0 || e.StartedAt == nil {
		return ""
	}
	sofar := e.UpdatedAt.Sub(*e.StartedAt)
	switch seconds := int(sofar.Seconds()*float64(e.Total-e.Done)/float64(e.Done) + 0.5); {
	case sofar < time.Second/5:
		return ""
	case seconds < 100:
		return fmt.Sprintf(", about %d s left", max(seconds, 1))
	default:
		return fmt.Sprintf(", about %d min left", (seconds+30)/60)
	}
}

// ordinal writes 3 as 3rd.
func ordinal(n int) string {
	suffix := "th"
	if tens := n / 10 % 10; tens != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return thousands(n) + suffix
}

// size writes 1234567 bytes as 1.2 MB.
func size(bytes int64) string {
	switch {
	case bytes < 1000:
		return fmt.Sprintf("%d bytes", bytes)
	case bytes < 1_000_000:
		return fmt.Sprintf("%d kB", (bytes+999)/1000)
	default:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
}

// thousands writes 10000 as 10,000.
func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
