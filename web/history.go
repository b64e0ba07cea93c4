package web

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/goresque/goresque/resque"
)

// historyPage is the content of the page of history: the rates in a window, and how long
// the jobs of each class took.
type historyPage struct {
	Window  resque.Window
	Graph   graph
	Classes []classRow
	Jobs    int64 // of all classes
	Order   order `json:"-"`
}

// Windows returns all windows, for links.
func (historyPage) Windows() []resque.Window { return resque.Windows() }

// classRow is a class in the table of classes.
type classRow struct {
	Class        string
	Jobs, Failed int64
	FailedPart   float64 // from 0 to 1
	Mean         time.Duration
	P50, P95     time.Duration
	Total        time.Duration
	Share        int // of the time of all classes, in percent
}

func (h *Dashboard) history(q *request) error {
	window := resque.Window(cmp.Or(q.FormValue("window"), string(resque.LastDay)))
	if window.Length() == 0 {
		return fail(problemNoPage, nil)
	}
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	kept, err := h.client.History(q.Context(), window)
	if err != nil {
		return err
	}
	times, err := h.client.ClassTimes(q.Context(), window)
	if err != nil {
		return err
	}
	content := historyPage{
		Window: window, Graph: drawHistory(kept, snap, window),
		Order: newOrder(q, "-total", "class", "-jobs", "-failed", "-mean", "-p50", "-p95"),
	}
	content.fill(times)
	sortRows(content.Classes, content.Order, map[string]func(a, b classRow) int{
		"class":  func(a, b classRow) int { return cmp.Compare(a.Class, b.Class) },
		"jobs":   func(a, b classRow) int { return cmp.Compare(a.Jobs, b.Jobs) },
		"failed": func(a, b classRow) int { return cmp.Compare(a.FailedPart, b.FailedPart) },
		"mean":   func(a, b classRow) int { return cmp.Compare(a.Mean, b.Mean) },
		"p50":    func(a, b classRow) int { return cmp.Compare(a.P50, b.P50) },
		"p95":    func(a, b classRow) int { return cmp.Compare(a.P95, b.P95) },
		"total":  func(a, b classRow) int { return cmp.Compare(a.Total, b.Total) },
	})
	return h.show(q, "history", q.t("History"), "stats", content)
}

func (p *historyPage) fill(times []resque.ClassTimes) {
	var total time.Duration
	for _, c := range times {
		total += c.Total
		p.Jobs += c.Jobs
	}
	for _, c := range times {
		row := classRow{Class: c.Class, Jobs: c.Jobs, Failed: c.Failed, Mean: c.Mean(), P50: c.P50, P95: c.P95, Total: c.Total}
		if c.Jobs > 0 {
			row.FailedPart = float64(c.Failed) / float64(c.Jobs)
		}
		if total > 0 {
			row.Share = int(c.Total * 100 / total)
		}
		p.Classes = append(p.Classes, row)
	}
}

// drawHistory returns the graph of the counters that were kept in a window, and of the
// present ones. A rate over much less time than the others would be noise.
func drawHistory(kept []resque.Counters, snap moment, window resque.Window) graph {
	kept = slices.DeleteFunc(kept, func(c resque.Counters) bool { return c.At.After(snap.Now) })
	shortest := window.Length() / 400
	samples := make([]sample, 0, len(kept)+1)
	for _, c := range append(kept, resque.Counters{At: snap.Now, Processed: snap.Processed, Failed: snap.Failed}) {
		if n := len(samples); n > 0 && c.At.Sub(samples[n-1].at) < shortest {
			continue
		}
		samples = append(samples, sample{c.At, c.Processed, c.Failed})
	}
	return drawRates(samples, window.Length())
}

// tookText formats how long a job took.
func tookText(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d == 0:
		return "0"
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		return spanText(d)
	}
}

// percentText formats a part of 1 in percent. Only 0 is 0 %.
func percentText(part float64) string {
	if part > 0 && part < .001 {
		return "< 0.1 %"
	}
	return fmt.Sprintf("%.1f %%", part*100)
}
