package web

import (
	"cmp"
	"net/url"
	"time"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/batch"
)

// batchesPage is the content of the list of batches.
type batchesPage struct {
	Batches []batchRow
	Total   int64
	Pager   pager
	Order   order  `json:"-"`
	Sorted  int64  `json:",omitempty"` // only so many, the first ones, were sorted
	Damage  string `json:",omitempty"` // why they cannot be read
}

// batchPage is the content of the page of one batch.
type batchPage struct {
	Batch             batchRow
	Complete, Success shownJob
}

// batchRow is a batch as pages show it.
type batchRow struct {
	ID, Description                                 string
	State                                           string // open, running, failed, succeeded or canceled
	Total, Ended, Failed, Abandoned, Skipped        int64
	Percent                                         int64  // of the members that have ended
	Failures                                        string // address of the failures of its members
	HasComplete, HasSuccess                         bool
	Created, Sealed, Canceled, Completed, Succeeded time.Time
	Fault                                           string `json:",omitempty"` // why it cannot be counted or completed
}

// Name returns what the list calls the batch.
func (r batchRow) Name() string { return cmp.Or(r.Description, r.ID) }

// IsOver reports whether the callback Complete was enqueued.
func (r batchRow) IsOver() bool { return !r.Completed.IsZero() }

// Waiting returns the number of members that have not ended.
func (r batchRow) Waiting() int64 { return r.Total - r.Ended }

const batchesAtOnce = 50 // on a page

// batches has no counterpart in Ruby.
func (h *Dashboard) batches(q *request) error {
	content := batchesPage{Order: newOrder(q, unsorted, "name", "-progress", "-failed", "state", "-created")}
	list, err := listPage(q, content.Order, batchesAtOnce, func(first, limit int64) ([]batch.Status, int64, error) {
		return batch.List(q.Context(), h.client, first, limit)
	}, rowOfBatch, map[string]func(a, b batchRow) int{
		"name":     func(a, b batchRow) int { return cmp.Compare(a.Name(), b.Name()) },
		"progress": func(a, b batchRow) int { return cmp.Compare(a.Percent, b.Percent) },
		"failed":   func(a, b batchRow) int { return cmp.Compare(a.Failed+a.Abandoned, b.Failed+b.Abandoned) },
		"state":    func(a, b batchRow) int { return cmp.Compare(a.State, b.State) },
		"created":  func(a, b batchRow) int { return a.Created.Compare(b.Created) },
	})
	if fault, _ := resque.Explain(err); err != nil && fault.Code == resque.FaultType {
		content.Damage = err.Error() // the page says so
		err = nil
	}
	if err != nil {
		return err
	}
	content.Batches, content.Total, content.Pager, content.Sorted = list.rows, list.total, list.pager, list.sorted
	return h.show(q, "batches", q.t("Batches"), "batches", content)
}

func rowOfBatch(s batch.Status) batchRow {
	row := batchRow{
		ID: s.ID, Description: s.Description, State: string(s.State()), Fault: s.Fault,
		Total: s.Total, Ended: s.Ended(), Failed: s.Failed, Abandoned: s.Abandoned, Skipped: s.Skipped,
		Failures: "failed?" + url.Values{"batch": {s.ID}, "retried": {"no"}}.Encode(), HasComplete: s.Complete != nil, HasSuccess: s.Success != nil,
		Created: shownTime(s.Created), Sealed: shownTime(s.Sealed), Canceled: shownTime(s.Canceled),
		Completed: shownTime(s.Completed), Succeeded: shownTime(s.Succeeded),
	}
	switch {
	case s.Total > 0:
		row.Percent = min(100*s.Ended()/s.Total, 100)
	case !s.Completed.IsZero():
		row.Percent = 100
	}
	return row
}

// batch shows one batch.
func (h *Dashboard) batch(q *request) error {
	s, err := h.namedBatch(q)
	if err != nil {
		return err
	}
	content := batchPage{Batch: rowOfBatch(s)}
	if s.Complete != nil {
		content.Complete = h.showJob(s.Complete.Raw)
	}
	if s.Success != nil {
		content.Success = h.showJob(s.Success.Raw)
	}
	return h.show(q, "batch", q.t("Batch %s", cut(80, content.Batch.Name())), "batches", content)
}

// namedBatch returns the batch that the path names.
func (h *Dashboard) namedBatch(q *request) (batch.Status, error) {
	if _, err := batch.Open(h.client, q.params["id"]); err != nil {
		return batch.Status{}, fail(problemNoBatch, err)
	}
	s, ok, err := batch.Get(q.Context(), h.client, q.params["id"])
	if err == nil && !ok {
		err = fail(problemNoBatch, nil)
	}
	return s, err
}

// cancelBatch cancels a batch.
func (h *Dashboard) cancelBatch(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	s, err := h.namedBatch(q)
	if err != nil {
		return err
	}
	if !q.isSure() {
		return h.ask(q, question{
			Title: q.t("Cancel this batch?"), Yes: q.t("Cancel the batch"),
			Text:   q.t("Jobs that have not begun are not performed. Then the callback Complete is enqueued, and Success is not. This cannot be undone."),
			Sample: []string{cut(200, s.Description+" "+s.ID)},
		})
	}
	b, err := batch.Open(h.client, s.ID)
	if err == nil {
		err = b.Cancel(q.Context())
	}
	h.report(q.Context(), q, "cancel batch", s.ID, s.Pending, err)
	if err != nil {
		return err
	}
	h.forget()
	return q.back("batches/"+s.ID, flash{Text: q.t("Canceled the batch. Workers skip its waiting jobs.")}, map[string]any{"done": 1})
}
