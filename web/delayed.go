package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/resque"
)

// delayedPage is the content of the list of delayed jobs.
type delayedPage struct {
	waitingList
	Jobs    []delayedRow
	Times   int64  // seconds that have delayed jobs
	Total   int64  // jobs of all seconds, or of At; -1 if they were not all counted
	Counted int64  // jobs that were counted, if Total is -1
	Count   string // address of the page with the exact number
}

// waitingList is what lists of delayed jobs have in common.
type waitingList struct {
	At       time.Time // the second whose jobs are listed; zero for all
	Filter   delayedForm
	Matching int64  // jobs that match the filter; -1 if they were not all checked
	Checked  int64  // jobs that were compared with the filter, with those of earlier pages
	Found    int64  // matching jobs so far, with those of earlier pages
	First    bool   // no earlier page
	Start    string // address of the first page, below the mount
	Next     string // address of the next page

	Classes, Queues []string // suggestions for the filter
	Scheduler       schedulerRow
	Damage          string `json:",omitempty"` // why they cannot be read
}

// delayedRow is a delayed job as pages show it.
type delayedRow struct {
	ID     string
	Second int64
	Due    time.Time
	Queue  string // "" if the job names none
	Damage string `json:",omitempty"` // why it cannot be run
	Same   string `json:",omitempty"` // address of the times of equal jobs
	Job    shownJob
}

const (
	// countedSeconds is how many seconds a page counts the jobs of.
	countedSeconds = 1000
	// farSecond is a second after all those that can be shown, and the largest number
	// in the address of a page.
	farSecond = 1 << 40
)

// Ruby: Resque::Scheduler::Server's /delayed.
func (h *Dashboard) delayed(q *request) error { return h.delayedList(q, nil) }

// delayedSecond serves the jobs of one second.
//
// Ruby: Resque::Scheduler::Server's /delayed/:timestamp.
func (h *Dashboard) delayedSecond(q *request) error {
	q.json = q.json || strings.HasSuffix(q.path, ".json")
	if _, ok := parseSecond(q.params["ts"]); !ok {
		return fail(problemNoPage, nil)
	}
	return h.delayedList(q, url.Values{"at": {q.params["ts"]}})
}

// delayedJobs serves the times at which a job with given arguments is delayed. Without
// arguments it is the job that has none.
//
// Ruby: Resque::Scheduler::Server's /delayed/jobs/:klass.
func (h *Dashboard) delayedJobs(q *request) error {
	args := q.FormValue("args")
	if args == "" {
		args = "[]"
	}
	return h.delayedList(q, url.Values{"class": {q.params["klass"]}, "args": {args}})
}

// delayedList serves the delayed jobs that match the filter of the address, the earliest
// first. fixed are fields of the filter that are part of the path.
func (h *Dashboard) delayedList(q *request, fixed url.Values) error {
	form, filter, err := h.delayedFilter(q, fixed)
	if err != nil {
		return err
	}
	content := delayedPage{waitingList: newWaitingList(form, filter)}
	if err = h.fillDelayed(q, &content, filter); err != nil {
		if fault, _ := resque.Explain(err); fault.Code != resque.FaultType {
			return err
		}
		content.Damage = err.Error() // the page says so
	}
	for _, job := range content.Jobs {
		content.suggest(job)
	}
	return h.show(q, "delayed", q.t("Delayed"), "delayed", content)
}

func (h *Dashboard) fillDelayed(q *request, content *delayedPage, filter resque.DelayedFilter) (err error) {
	if content.Scheduler, err = h.schedulerRow(q.Context()); err != nil {
		return err
	}
	d := h.client.Delayed()
	damage := content.count(q, d, h.budgets.number)
	if fault, _ := resque.Explain(damage); damage != nil && fault.Code != resque.FaultType {
		return damage
	}
	from, err := h.delayedFrom(q, d, content.At)
	if err != nil {
		return err
	}
	content.First, content.Start = from == resque.DelayedPlace{}, content.Filter.address("delayed")
	part, err := d.Search(q.Context(), filter, from, int(h.rows(q)), h.budgets.scan)
	if fault, _ := resque.Explain(err); err != nil && fault.Code != resque.FaultType {
		return err
	}
	content.Jobs = h.delayedRows(part.Jobs)
	values := q.URL.Query()
	values.Del("start")
	content.Count = "?" + withValue(values, "count", "1")
	content.conclude(q, part.Checked, len(part.Jobs), part.More, part.Next)
	if err != nil {
		return err
	}
	return damage
}

// count counts the jobs of the page's second, or of the first seconds, or of all if the
// user asked for that.
func (c *delayedPage) count(q *request, d *resque.Delayed, budget time.Duration) (err error) {
	if !c.At.IsZero() {
		c.Total, err = d.Count(q.Context(), resque.DelayedFilter{Since: c.At, Until: c.At.Add(time.Second)})
		return err
	}
	seconds, total, err := d.Seconds(q.Context(), 0, countedSeconds)
	c.Times = total
	for _, s := range seconds {
		c.Total += s.Jobs
	}
	if err != nil || total <= countedSeconds {
		return err
	}
	c.Counted, c.Total = c.Total, -1
	if q.FormValue("count") == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(q.Context(), budget)
	defer cancel()
	all, err := d.Count(ctx, resque.DelayedFilter{})
	if ctx.Err() != nil && q.Context().Err() == nil {
		return nil
	}
	c.Total = all
	return err
}

// delayedFrom returns where the page begins: at a place that an earlier page names, or,
// as in Ruby, at the position of a second, or of a job in its second.
func (h *Dashboard) delayedFrom(q *request, d *resque.Delayed, at time.Time) (resque.DelayedPlace, error) {
	place, start := q.FormValue("from"), q.number("start", 0, 0, farSecond)
	switch {
	case place != "":
		second, position, _ := strings.Cut(place, ":")
		s, err1 := strconv.ParseInt(second, 10, 64)
		p, err2 := strconv.ParseInt(position, 10, 64)
		if err1 != nil || err2 != nil || p < 0 {
			return resque.DelayedPlace{}, fail(problemForm, nil)
		}
		return resque.DelayedPlace{Second: s, Position: p}, nil
	case start == 0:
		return resque.DelayedPlace{}, nil
	case !at.IsZero():
		return resque.DelayedPlace{Second: at.Unix(), Position: start}, nil
	}
	seconds, _, err := d.Seconds(q.Context(), start, 1)
	if err != nil || len(seconds) == 0 {
		return resque.DelayedPlace{Second: farSecond}, err
	}
	return resque.DelayedPlace{Second: seconds[0].Due.Unix()}, nil
}

func newWaitingList(form delayedForm, filter resque.DelayedFilter) waitingList {
	list := waitingList{Filter: form, Matching: -1}
	if form.At != "" {
		list.At = filter.Since
	}
	return list
}

// conclude sets the numbers of jobs so far, and the address of the next page.
func (l *waitingList) conclude(q *request, checked int64, found int, more bool, next resque.DelayedPlace) {
	l.Checked = q.number("checked", 0, 0, farSecond) + checked
	l.Found = q.number("found", 0, 0, farSecond) + int64(found)
	if !more {
		l.Matching = l.Found
		return
	}
	values := q.URL.Query()
	values.Del("start")
	values.Del("count")
	values.Set("checked", strconv.FormatInt(l.Checked, 10))
	values.Set("found", strconv.FormatInt(l.Found, 10))
	l.Next = "?" + withValue(values, "from", fmt.Sprintf("%d:%d", next.Second, next.Position))
}

// suggest adds what a row shows to the suggestions for the filter.
func (l *waitingList) suggest(row delayedRow) {
	add := func(list *[]string, text string) {
		if text != "" && !slices.Contains(*list, text) {
			*list = append(*list, text)
		}
	}
	add(&l.Classes, row.Job.Class)
	add(&l.Queues, row.Queue)
}

// delayedRows returns the rows of a page. When pageBytes are shown, only the beginnings of
// further large jobs are.
func (h *Dashboard) delayedRows(jobs []resque.DelayedJob) []delayedRow {
	rows, bytes := make([]delayedRow, len(jobs)), 0
	for i, job := range jobs {
		rows[i] = h.delayedRow(job)
		if bytes += len(job.Raw); bytes > pageBytes && len(job.Raw) > beginning {
			rows[i].Job = h.showBeginning(job.Raw[:beginning], int64(len(job.Raw)))
		}
	}
	return rows
}

func (h *Dashboard) delayedRow(job resque.DelayedJob) delayedRow {
	row := delayedRow{ID: job.ID.String(), Second: job.ID.Second, Due: shownTime(job.Due), Queue: job.Queue, Job: h.showJob(job.Raw)}
	if job.Damage != nil {
		row.Damage = strings.TrimPrefix(job.Damage.Error(), resque.ErrDelayedDamaged.Error()+": ")
	}
	if args, err := json.Marshal(job.Args); err == nil && job.Class != "" && !h.hides() && len(args) < 1000 {
		if job.Args == nil {
			args = []byte("[]")
		}
		row.Same = "delayed/jobs/" + url.PathEscape(job.Class) + "?args=" + url.QueryEscape(string(args))
	}
	return row
}

// delayedForm is the filter of delayed jobs as the form has it.
type delayedForm struct{ Class, Queue, Args, Text, Within, At string }

// IsEmpty reports whether the filter matches all delayed jobs.
func (f delayedForm) IsEmpty() bool { return f == delayedForm{} }

// Narrows reports whether the filter has more than the second of the page.
func (f delayedForm) Narrows() bool { return f != delayedForm{At: f.At} }

// Hidden returns the filter as fields of a form that acts on matching jobs.
func (f delayedForm) Hidden() map[string]string {
	return map[string]string{"class": f.Class, "queue": f.Queue, "args": f.Args, "q": f.Text, "within": f.Within, "at": f.At}
}

// address returns the address of a list with the filter.
func (f delayedForm) address(list string) string {
	values := url.Values{}
	for name, value := range f.Hidden() {
		if value != "" {
			values.Set(name, value)
		}
	}
	return list + "?" + values.Encode()
}

// delayedFilter reads the filter from fixed, and else from the query or the form.
func (h *Dashboard) delayedFilter(q *request, fixed url.Values) (delayedForm, resque.DelayedFilter, error) {
	value := func(name string) string {
		if fixed.Has(name) {
			return fixed.Get(name)
		}
		return q.FormValue(name)
	}
	form := delayedForm{
		Class: value("class"), Queue: value("queue"), Args: strings.TrimSpace(value("args")), Text: value("q"),
		Within: value("within"), At: value("at"),
	}
	filter := resque.DelayedFilter{Class: form.Class, Queue: form.Queue, Text: form.Text}
	if form.Args != "" {
		args, err := editedArgs(form.Args)
		if err != nil {
			return form, filter, &problem{code: problemForm, cause: err, advice: q.t("Write the arguments as a JSON array, such as [42, \"csv\"].")}
		}
		filter.Args = args
	}
	if form.Within != "" {
		d, err := time.ParseDuration(form.Within)
		if err != nil || d <= 0 {
			return form, filter, fail(problemForm, err)
		}
		snap, err := h.snapshot(q.Context()) // Redis's clock decides what is due
		if err != nil {
			return form, filter, err
		}
		filter.Until = snap.Now.Add(d)
	}
	if form.At != "" {
		at, ok := parseSecond(form.At)
		if !ok {
			return form, filter, fail(problemForm, nil)
		}
		filter.Since, filter.Until = time.Unix(at, 0).UTC(), time.Unix(at+1, 0)
	}
	return form, filter, nil
}

// parseSecond reads a second of an address.
func parseSecond(text string) (second int64, ok bool) {
	second, err := strconv.ParseInt(text, 10, 64)
	return second, err == nil && second > -farSecond && second < farSecond
}

// shownTime returns a time that JSON can have, otherwise the zero time.
func shownTime(at time.Time) time.Time {
	if year := at.Year(); year < 0 || year > 9999 {
		return time.Time{}
	}
	return at
}
