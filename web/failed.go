package web

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// failureRow is a failure as pages show it.
type failureRow struct {
	ID        string
	Position  int64
	Class     string // as the record has it, of Rails's jobs their wrapper
	Queue     string
	Worker    string
	Exception string
	Error     string
	FailedAt  time.Time
	Retried   bool
	RetriedAt time.Time
	Backtrace []string
	Damage    string
	Job       shownJob
	Raw       string
}

// failedPage is the content of the list of failures.
type failedPage struct {
	List     string // "" for all
	Lists    []failedRow
	Total    int64 // in the lists
	Matching int64 // of the filter; -1 where not all were looked at
	Filter   filterForm
	Grouped  bool
	Groups   []groupRow

	Classes, Exceptions, Queues []string // to choose from
	Failures                    []failureRow
	Pager                       pager
	Older                       string // address of what comes after, where that is not by page
	Before                      int64  // that match, on the pages before
	Looked                      int64  // at so many for the filter; -1 where that is not known
	Count                       string // address of the page with the exact number
	Newer                       int64  // came since the reader did
	Oldest                      bool   // order=asc
	Damage                      string `json:",omitempty"` // why a list cannot be read
}

// groupRow is a class and an exception with how often they came together.
type groupRow struct {
	Class, Exception, Message string
	Count, Retried            int64
	Oldest, Newest            time.Time

	Link string
	Line string `json:"-"` // when they failed, as points of a small line
}

// Ruby: Resque::Server's /failed.
func (h *Dashboard) failed(q *request) error {
	form, filter, err := h.filterOf(q)
	if err != nil {
		return err
	}
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	content := failedPage{
		List: filter.List, Filter: form, Grouped: q.FormValue("view") == "groups", Oldest: q.FormValue("order") == "asc",
		Lists: failedRows(snap), Matching: -1,
	}
	known := filter.List == "" || filter.List == resque.FailedList
	for _, f := range snap.Failures {
		if filter.List == "" || filter.List == f.List {
			content.Total += f.Size
			known = true
			if f.Err != nil {
				content.Damage = f.Err.Error()
			}
		}
	}
	if !known {
		return fail(problemNoPage, nil)
	}
	switch {
	case content.Damage != "" && content.Total == 0: // the page says so
	case content.Grouped:
		err = h.groupFailures(q, &content, filter)
	case form.IsEmpty() && (filter.List != "" || len(content.Lists) == 1):
		err = h.pageFailures(q, &content, filter)
	default:
		err = h.scanFailures(q, &content, filter)
	}
	if err != nil {
		return err
	}
	content.suggest()
	return h.show(q, "failed", t("Failed"), "failed", content)
}

// suggest offers for the filter what the page has.
func (c *failedPage) suggest() {
	add := func(list *[]string, text string) {
		if text != "" && !slices.Contains(*list, text) {
			*list = append(*list, text)
		}
	}
	for _, f := range c.Failures {
		add(&c.Classes, f.Job.Class)
		add(&c.Exceptions, f.Exception)
		add(&c.Queues, f.Queue)
	}
	for _, g := range c.Groups {
		add(&c.Classes, g.Class)
		add(&c.Exceptions, g.Exception)
	}
}

// pageFailures reads one page by position: no filter, and one list.
func (h *Dashboard) pageFailures(q *request, content *failedPage, filter resque.FailureFilter) error {
	// New failures do not move what is being read: the page counts from where the
	// list ended when its reader came.
	upto := q.number("upto", content.Total, 0, content.Total)
	content.Newer = content.Total - upto
	content.Pager = newPager(q, upto, int64(h.cfg.PerPage))
	content.Pager.values.Set("upto", strconv.FormatInt(upto, 10))
	content.Matching = content.Total
	filter.List = cmp.Or(filter.List, resque.FailedList)
	first, last := content.Pager.First, content.Pager.Last
	if !content.Oldest {
		first, last = upto-last, upto-first
	}
	if first >= last {
		return nil
	}
	jobs, err := h.failures.Page(q.Context(), filter.List, first, last-first)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		content.Failures = append(content.Failures, h.failureRow(job))
	}
	if !content.Oldest {
		slices.Reverse(content.Failures)
	}
	return nil
}

func (h *Dashboard) groupFailures(q *request, content *failedPage, filter resque.FailureFilter) error {
	groups, err := h.failures.Groups(q.Context(), filter)
	if err != nil {
		return err
	}
	content.Matching = 0
	var first, last time.Time
	for _, g := range groups {
		content.Matching += g.Count
		if !g.Oldest.IsZero() && (first.IsZero() || g.Oldest.Before(first)) {
			first = g.Oldest
		}
		if g.Newest.After(last) {
			last = g.Newest
		}
	}
	for _, g := range groups {
		values := q.URL.Query()
		values.Del("view")
		values.Set("class", g.Class)
		values.Set("exception", g.Exception)
		if part := longestPart(g.Message); part != "" {
			values.Set("q", part)
		}
		content.Groups = append(content.Groups, groupRow{
			Class: g.Class, Exception: g.Exception, Message: g.Message,
			Count: g.Count, Retried: g.Requeued, Oldest: g.Oldest, Newest: g.Newest,
			Link: "?" + values.Encode(), Line: spreadLine(g.Spread(first, last, spreadParts)),
		})
	}
	return nil
}

// longestPart is the longest piece of a message without numbers: who filters by it
// finds the group again.
func longestPart(message string) string {
	longest := ""
	for part := range strings.SplitSeq(message, "N") {
		if part = strings.TrimSpace(part); len(part) > len(longest) {
			longest = part
		}
	}
	return longest
}

// spreadParts is how many points a group's small line has.
const spreadParts = 30

// spreadLine draws counts as a small line.
func spreadLine(counts []int64) string {
	most := max(slices.Max(counts), 1)
	var points []byte
	for i, n := range counts {
		x := sparkWidth * float64(i) / float64(len(counts)-1)
		points = fmt.Appendf(points, "%.0f,%.1f ", x, (sparkHeight-2)*(1-float64(n)/float64(most))+1)
	}
	return string(points)
}

func (h *Dashboard) failureRow(f resque.FailedJob) failureRow {
	row := failureRow{
		ID: f.ID.String(), Position: f.ID.Position, Class: f.Class, Queue: f.Queue, Worker: f.Worker, Exception: f.Exception, Error: f.Error,
		FailedAt: f.FailedAt, Retried: f.Requeued, RetriedAt: f.RequeuedAt, Backtrace: f.Backtrace, Job: h.showJob(f.Payload),
	}
	if f.Damage != nil {
		row.Damage = f.Damage.Error()
		if !h.hides() {
			row.Raw = string(f.Raw)
		}
	}
	return row
}

// filterForm is the filter as the form has it.
type filterForm struct{ Class, Queue, Exception, Text, Since, Retried string }

// IsEmpty tells that all failures are meant.
func (f filterForm) IsEmpty() bool { return f == filterForm{} }

// Hidden are the filter's fields for a form that acts on what it passes.
func (f filterForm) Hidden() map[string]string {
	return map[string]string{
		"class": f.Class, "queue": f.Queue, "exception": f.Exception, "q": f.Text, "since": f.Since, "retried": f.Retried,
	}
}

// filterOf reads the filter of an address or a form.
func (h *Dashboard) filterOf(q *request) (filterForm, resque.FailureFilter, error) {
	form := filterForm{
		Class: q.FormValue("class"), Queue: q.FormValue("queue"), Exception: q.FormValue("exception"),
		Text: q.FormValue("q"), Since: q.FormValue("since"), Retried: q.FormValue("retried"),
	}
	filter := resque.FailureFilter{
		List: q.params["queue"], Class: form.Class, Queue: form.Queue, Exception: form.Exception, Text: form.Text,
	}
	switch form.Retried {
	case "yes":
		filter.Requeued = resque.OnlyRequeued
	case "no":
		filter.Requeued = resque.NotRequeued
	}
	if form.Since != "" {
		at, err := wire.ParseTime(form.Since)
		if d, bad := time.ParseDuration(form.Since); bad == nil && d > 0 {
			at.Time, err = time.Now().Add(-d), nil
		}
		if err != nil {
			return form, filter, fail(problemForm, nil)
		}
		filter.Since = at.Time
	}
	return form, filter, nil
}

// failedPath is where the failures of a list are.
func failedPath(list string) string {
	if list == "" {
		return "failed"
	}
	return "failed/" + url.PathEscape(list)
}
