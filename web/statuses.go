package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/status"
)

// statusesPage is the content of the list of statuses.
type statusesPage struct {
	Statuses []statusRow
	Total    int64
	Expired  int64 // on this page: they are counted, but are no longer in Redis
	Pager    pager
	Order    order  `json:"-"`
	Sorted   int64  `json:",omitempty"` // only so many, the newest, were sorted
	Damage   string `json:",omitempty"` // why they cannot be read
}

// statusPage is the content of the page of one status.
type statusPage struct {
	Status statusRow
}

// statusRow is the status of a job as pages show it.
type statusRow struct {
	ID      string
	State   string // queued, working, completed, failed or killed; another program may write others
	Job     shownJob
	Percent int
	Done    string // such as "40 of 100"; empty if the job has not reported progress
	Message string
	Created time.Time
	Ended   bool
}

const statusesAtOnce = 50 // on a page, as in Ruby

// statuses serves the list of statuses, the newest first.
//
// Ruby: Resque::StatusServer's /statuses.
func (h *Dashboard) statuses(q *request) error {
	content := statusesPage{Order: newOrder(q, unsorted, "class", "-progress", "state", "-created")}
	list, err := listPage(q, content.Order, q.number("per_page", statusesAtOnce, 1, 500), func(first, limit int64) ([]status.Status, int64, error) {
		return status.List(q.Context(), h.client, first, limit)
	}, func(s status.Status) statusRow { return h.rowOfStatus(q.language, s) }, map[string]func(a, b statusRow) int{
		"class":    func(a, b statusRow) int { return cmp.Compare(a.Job.Class, b.Job.Class) },
		"progress": func(a, b statusRow) int { return cmp.Compare(a.Percent, b.Percent) },
		"state":    func(a, b statusRow) int { return cmp.Compare(a.State, b.State) },
		"created":  func(a, b statusRow) int { return a.Created.Compare(b.Created) },
	})
	if fault, _ := resque.Explain(err); err != nil && fault.Code == resque.FaultType {
		content.Damage = err.Error() // the page says so
		err = nil
	}
	if err != nil {
		return err
	}
	content.Statuses, content.Total, content.Pager = list.rows, list.total, list.pager
	content.Sorted, content.Expired = list.sorted, list.gone
	return h.show(q, "statuses", q.t("Statuses"), "statuses", content)
}

func (h *Dashboard) rowOfStatus(l *language, s status.Status) statusRow {
	row := statusRow{
		ID: s.ID, State: string(s.State), Job: h.jobOfStatus(s), Percent: s.Percent(), Message: s.Message,
		Created: shownTime(s.Time), Ended: s.State.Ended(),
	}
	if s.Total > 0 {
		row.Done = l.t("%s of %s", amount(l, s.Num), amount(l, s.Total))
	}
	if h.hides() { // the message may have arguments
		row.Message = ""
	}
	return row
}

// amount formats how much is done, or how much there is.
func amount(l *language, n float64) string {
	if n == float64(int64(n)) {
		return l.num(int64(n))
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

// jobOfStatus returns the job of a status, as far as the status has it: the class is known
// when the job has begun.
func (h *Dashboard) jobOfStatus(s status.Status) shownJob {
	class, _, _ := strings.Cut(s.Name, "(")
	if class == "" {
		class = unknownClass
	}
	quoted, _ := json.Marshal(class) // cannot fail: a string
	args := ""
	if len(s.Options) > 0 {
		args = string(s.Options)
	}
	job := h.showJob(fmt.Appendf(nil, `{"class":%s,"args":[%s]}`, quoted, args))
	if job.Class == unknownClass {
		job.Class = ""
	}
	job.Raw = "" // it is not stored in this form
	if _, args, ok := strings.Cut(strings.TrimSuffix(s.Name, ")"), "("); ok && len(s.Options) == 0 && !h.hides() {
		job.Text = args
	}
	return job
}

// unknownClass stands for the class of a job that has not begun.
const unknownClass = "?"

// status shows one status.
//
// Ruby: Resque::StatusServer's /statuses/:id.
func (h *Dashboard) status(q *request) error {
	s, err := h.namedStatus(q)
	if err != nil {
		return err
	}
	row := h.rowOfStatus(q.language, s)
	title := row.Job.Class
	if title == "" {
		title = row.ID
	}
	return h.show(q, "status", q.t("Status of %s", cut(80, title)), "statuses", statusPage{row})
}

// statusJS serves a status as in Redis, with the member pct_complete. If arguments are
// hidden, only the members that have none are shown.
//
// Ruby: Resque::StatusServer's /statuses/:id.js.
func (h *Dashboard) statusJS(q *request) error {
	q.json = true
	s, err := h.namedStatus(q)
	if err != nil {
		return err
	}
	if h.hides() {
		s.Raw = h.hideStatus(s)
	}
	body, err := s.MarshalJSON() // json.Marshal would escape < and >
	if err != nil {
		return fmt.Errorf("encoding the status %s: %w", s.ID, err)
	}
	q.w.Header().Set("Content-Type", "application/json")
	send(q, http.StatusOK, append(body, '\n'))
	return nil
}

// hideStatus returns the members of a status that have no arguments, and the options
// without what is hidden.
func (h *Dashboard) hideStatus(s status.Status) json.RawMessage {
	names := []string{"time", "status", "uuid", "options", "name", "num", "total"}
	spans, err := rubyjson.Spans(s.Raw, names...)
	if err != nil {
		return nil
	}
	members := make([]string, 0, len(names))
	for i, name := range names {
		value := spans[i].Of(s.Raw)
		switch {
		case len(value) == 0:
			continue
		case name == "options" && h.cfg.HideArgs:
			value = []byte(`"…"`)
		case name == "options":
			value = h.redact(value)
		case name == "name":
			value, _ = json.Marshal(h.jobOfStatus(s).Class)
		}
		members = append(members, `"`+name+`":`+string(value))
	}
	return json.RawMessage("{" + strings.Join(members, ",") + "}")
}

// namedStatus returns the status that the path names.
func (h *Dashboard) namedStatus(q *request) (status.Status, error) {
	s, ok, err := status.Get(q.Context(), h.client, q.params["id"])
	if err == nil && !ok {
		err = fail(problemNoStatus, nil)
	}
	return s, err
}

// killStatus kills the job of a status.
//
// Ruby: Resque::StatusServer's /statuses/:id/kill.
func (h *Dashboard) killStatus(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	s, err := h.namedStatus(q)
	if err != nil {
		return err
	}
	if s.State.Ended() {
		return hasEnded()
	}
	if !q.isSure() {
		row := h.rowOfStatus(q.language, s)
		return h.ask(q, question{
			Title: q.t("Kill this job?"), Yes: q.t("Kill the job"),
			Text:   q.t("A waiting job is not performed. A running one is told to end; in Ruby, when it next reports progress. A killed job has not failed and is not retried."),
			Sample: []string{cut(200, strings.TrimSpace(row.Job.Class+" "+row.Job.Line()+" "+s.ID))},
		})
	}
	killed, err := status.Kill(q.Context(), h.client, s.ID)
	if err == nil && !killed {
		err = hasEnded()
	}
	h.report(q.Context(), q, "kill job", s.ID, int64(count(killed)), err)
	if err != nil {
		return err
	}
	return q.back("statuses/"+s.ID, flash{Text: q.t("Told the job to end.")}, map[string]any{"done": 1})
}

func hasEnded() error {
	return &problem{code: problemNotRunning, title: english("The job has ended"), advice: english("A job that has ended cannot be killed. Nothing was changed.")}
}

// These remove statuses; the jobs stay.
//
// Ruby: Resque::StatusServer's /statuses/clear, /statuses/clear/completed and
// /statuses/clear/failed.
func (h *Dashboard) clearStatuses(q *request) error {
	return h.clear(q, q.t("Remove all statuses?"), q.t("The statuses of all jobs are removed, also of those that wait or run. The jobs stay. This cannot be undone."), status.States()...)
}

func (h *Dashboard) clearCompleted(q *request) error {
	return h.clear(q, q.t("Remove the statuses of completed jobs?"), q.t("This cannot be undone."), status.Completed)
}

func (h *Dashboard) clearFailedStatuses(q *request) error {
	return h.clear(q, q.t("Remove the statuses of failed jobs?"), q.t("The failures stay on the page Failed. This cannot be undone."), status.Failed)
}

func (h *Dashboard) clear(q *request, title, text string, states ...status.State) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	if !q.isSure() {
		return h.ask(q, question{Title: title, Text: text, Yes: q.t("Remove")})
	}
	n, err := status.Clear(q.Context(), h.client, states...)
	target := "all"
	if len(states) == 1 {
		target = string(states[0])
	}
	h.report(q.Context(), q, "clear statuses", target, n, err)
	if err != nil {
		return err
	}
	h.forget()
	return q.back("statuses", flash{Text: q.tn("Removed 1 status.|Removed %s statuses.", n)}, map[string]any{"done": n})
}
