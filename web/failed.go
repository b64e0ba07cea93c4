package web

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// failureRow is a failure as pages show it.
type failureRow struct {
	ID        string
	Position  int64
	Class     string // as in the record: for Rails jobs, the wrapper
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
	List     string // "" for all lists
	Lists    []failedRow
	Total    int64 // failures in the shown lists
	Matching int64 // failures that match the filter; -1 if not all were checked
	Filter   filterForm
	Grouped  bool
	Groups   []groupRow
	ByHour   bool
	Hours    *heatMap `json:",omitempty"`

	Classes, Exceptions, Queues []string // suggestions for the filter
	Failures                    []failureRow
	Pager                       pager
	Older                       string // address of the next page, unless Pager has it
	Before                      int64  // matching failures on earlier pages
	Looked                      int64  // failures checked against the filter; -1 if unknown
	Count                       string // address of the page with the exact number
	Newer                       int64  // failures added since the user opened the first page
	Oldest                      bool   // order=asc: oldest first
	Damage                      string `json:",omitempty"` // why a list cannot be read
	Order                       order  `json:"-"`          // of the groups

	bytes int64 // of the failures that are shown whole
}

// add adds a failure to the page. When pageBytes are shown, only the beginnings of
// the others are.
func (c *failedPage) add(h *Dashboard, f resque.FailedJob) {
	row := h.failureRow(f)
	if f.IsWhole() {
		if c.bytes += f.Size; c.bytes > pageBytes && f.Size > beginning {
			row.shorten(h, f)
		}
	}
	c.Failures = append(c.Failures, row)
}

// shorten removes what makes a row of a whole failure large.
func (r *failureRow) shorten(h *Dashboard, f resque.FailedJob) {
	r.Error, r.Exception, r.Backtrace = cut(beginning, r.Error), cut(beginning, r.Exception), nil
	r.Raw = cut(beginning, r.Raw)
	job := h.showBeginning(f.Payload[:min(len(f.Payload), beginning)], int64(len(f.Payload)))
	r.Job = job
}

// groupRow is a group of failures with the same class, exception and message.
type groupRow struct {
	Class, Exception, Message string
	Count, Retried            int64
	Oldest, Newest            time.Time

	Link string
	Line string `json:"-"` // points of a line that shows when they failed
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
		List: filter.List, Filter: form, Grouped: q.FormValue("view") == "groups", ByHour: q.FormValue("view") == "hours",
		Oldest: q.FormValue("order") == "asc", Lists: failedRows(snap), Matching: -1,
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
	case content.Grouped, content.ByHour:
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
	return h.show(q, "failed", q.t("Failed"), "failed", content)
}

// suggest fills the suggestions for the filter with what the page shows.
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

// pageFailures reads one page of one list by position, without a filter.
func (h *Dashboard) pageFailures(q *request, content *failedPage, filter resque.FailureFilter) error {
	// New failures must not shift the pages. So positions are counted from the end
	// that the list had when the user opened the first page.
	upto := q.number("upto", content.Total, 0, content.Total)
	content.Newer = content.Total - upto
	content.Pager = newPager(q, upto, h.rows(q))
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
	jobs, err := h.failures.Preview(q.Context(), filter.List, first, last-first, pageBytes)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		content.add(h, job)
	}
	if !content.Oldest {
		slices.Reverse(content.Failures)
	}
	return nil
}

// groupFailures fills the views of groups and of hours. Both read all failures.
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
	if content.ByHour {
		content.Hours = heatOf(groups)
		return nil
	}
	for _, g := range groups {
		values := q.URL.Query()
		for _, gone := range []string{"view", "sort", "dir"} {
			values.Del(gone)
		}
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
	content.Order = newOrder(q, "-times", "class", "exception", "-retried", "-first", "-last")
	sortRows(content.Groups, content.Order, map[string]func(a, b groupRow) int{
		"times":     func(a, b groupRow) int { return cmp.Compare(a.Count, b.Count) },
		"class":     func(a, b groupRow) int { return cmp.Compare(a.Class, b.Class) },
		"exception": func(a, b groupRow) int { return cmp.Compare(a.Exception, b.Exception) },
		"retried":   func(a, b groupRow) int { return cmp.Compare(a.Retried, b.Retried) },
		"first":     func(a, b groupRow) int { return a.Oldest.Compare(b.Oldest) },
		"last":      func(a, b groupRow) int { return a.Newest.Compare(b.Newest) },
	})
	return nil
}

// longestPart returns the longest part of a message without numbers. Used as a
// filter, it finds the group again.
func longestPart(message string) string {
	longest := ""
	for part := range strings.SplitSeq(message, "N") {
		if part = strings.TrimSpace(part); len(part) > len(longest) {
			longest = part
		}
	}
	return longest
}

// spreadParts is the number of points in a group's line.
const spreadParts = 30

// spreadLine returns the points of a line for counts.
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
	if !f.IsWhole() {
		row.Job = h.showBeginning(rubyjson.SpansOfBeginning(f.Raw, "payload")[0].Of(f.Raw), f.Size)
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
type filterForm struct {
	Class, Queue, Exception, Batch, Text, Retried string

	Since        string // an age such as 24h, or a time
	After, Until string // times
}

// IsEmpty reports whether the filter matches all failures.
func (f filterForm) IsEmpty() bool { return f == filterForm{} }

// Hidden returns the filter as fields of a form that acts on matching failures.
func (f filterForm) Hidden() map[string]string {
	return map[string]string{
		"class": f.Class, "queue": f.Queue, "exception": f.Exception, "batch": f.Batch, "q": f.Text, "since": f.Since, "after": f.After, "until": f.Until, "retried": f.Retried,
	}
}

// filterOf reads the filter from the query or the form.
func (h *Dashboard) filterOf(q *request) (filterForm, resque.FailureFilter, error) {
	form := filterForm{
		Class: q.FormValue("class"), Queue: q.FormValue("queue"), Exception: q.FormValue("exception"), Batch: q.FormValue("batch"),
		Text: q.FormValue("q"), Since: q.FormValue("since"), After: q.FormValue("after"), Until: q.FormValue("until"), Retried: q.FormValue("retried"),
	}
	filter := resque.FailureFilter{
		List: q.params["queue"], Class: form.Class, Queue: form.Queue, Exception: form.Exception, Batch: form.Batch, Text: form.Text,
	}
	switch form.Retried {
	case "yes":
		filter.Requeued = resque.OnlyRequeued
	case "no":
		filter.Requeued = resque.NotRequeued
	case "":
	default:
		return form, filter, fail(problemForm, fmt.Errorf("retried is %q, not yes or no", form.Retried))
	}
	since, err := q.timeOf("since", form.Since)
	after, wrong := q.timeOf("after", form.After)
	filter.Since = since
	if after.After(since) {
		filter.Since = after
	}
	err = cmp.Or(err, wrong)
	if filter.Until, wrong = q.timeOf("until", form.Until); err == nil {
		err = wrong
	}
	if err == nil && !filter.Until.IsZero() && !filter.Since.Before(filter.Until) {
		err = &problem{code: problemForm, advice: english("No failure can match: the first time is not before the last one.")}
	}
	return form, filter, err
}

// timeOf reads a time of a form, or an age such as 24h. It returns the zero time for an
// empty text.
func (q *request) timeOf(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, ok := readTime(text)
	if !ok {
		return at, &problem{code: problemForm, advice: q.t("The field %s has the value %q, which is not a time. A time looks like 2026-01-31T15:04, an age like 24h.", name, text)}
	}
	return at, nil
}

// readTime reads a time, or an age such as 24h.
func readTime(text string) (at time.Time, ok bool) {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return time.Now().Add(-d), true
	}
	for _, layout := range []string{inputTime, "2006-01-02T15:04", time.DateOnly} { // as browsers send them
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	read, err := wire.ParseTime(text)
	return read.Time, err == nil && !read.IsZero()
}

// inputTime is how a form's field has a time.
const inputTime = "2006-01-02T15:04:05"

// AfterInput and UntilInput return the times as fields of a form have them.
func (f filterForm) AfterInput() string { return inputOf(f.After) }

// UntilInput is AfterInput for the end.
func (f filterForm) UntilInput() string { return inputOf(f.Until) }

func inputOf(text string) string {
	at, ok := readTime(text)
	if !ok {
		return ""
	}
	return at.UTC().Format(inputTime)
}

// failedPath returns the address of a list of failures.
func failedPath(list string) string {
	if list == "" {
		return "failed"
	}
	return "failed/" + url.PathEscape(list)
}
