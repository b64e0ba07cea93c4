package web

import (
	"cmp"
	"strings"
	"time"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/limit"
)

// limitsPage is the content of the page of limits.
type limitsPage struct {
	Queues []limitRow
	Held   []heldRow
	More   bool   // there are more keys than were looked at for Held
	Order  order  `json:"-"`          // of both tables
	Damage string `json:",omitempty"` // why the limits of queues cannot be read
}

// limitRow is the limit of a queue.
type limitRow struct {
	Queue            string
	Limit            string      // such as "5 at once, 100/min"
	Allowed          limit.Queue `json:"-"` // the same
	Running, Waiting int64
	Next             time.Duration // until the rate allows the next job
	Damage           string        `json:",omitempty"` // why it is not applied
}

// heldRow is the limit of a class or a key of which places are held.
type heldRow struct {
	Name    string
	Holders []holderRow
	Waiting int64
	Paused  time.Duration
}

type holderRow struct {
	Worker string
	Dead   bool // its job has ended
}

// heldParts is how many parts of the keys of Redis the page looks at.
const heldParts = 20

// limits has no counterpart in Ruby.
func (h *Dashboard) limits(q *request) error {
	content := limitsPage{Order: newOrder(q, "name", "-running", "-waiting")}
	states, err := limit.List(q.Context(), h.client)
	if fault, _ := resque.Explain(err); err != nil && fault.Code == resque.FaultType {
		content.Damage = err.Error() // the page says so
		err = nil
	}
	if err != nil {
		return err
	}
	for _, s := range states {
		row := limitRow{Queue: s.Queue, Limit: s.Limit.String(), Allowed: s.Limit, Running: s.Running, Waiting: s.Waiting, Next: s.Next}
		if s.Err != nil {
			row.Damage = s.Err.Error()
		}
		content.Queues = append(content.Queues, row)
	}
	held, more, err := limit.ListHeld(q.Context(), h.client, heldParts)
	if err != nil {
		return err
	}
	content.More = more
	for _, l := range held {
		row := heldRow{Name: l.Name, Waiting: l.Waiting, Paused: l.Paused}
		if class, _, keyed := strings.Cut(l.Name, ":"); keyed && h.hides() { // the key has arguments
			row.Name = class + ":…"
		}
		for _, holder := range l.Holders {
			row.Holders = append(row.Holders, holderRow(holder))
		}
		content.Held = append(content.Held, row)
	}
	sortRows(content.Queues, content.Order, map[string]func(a, b limitRow) int{
		"name":    func(a, b limitRow) int { return cmp.Compare(a.Queue, b.Queue) },
		"running": func(a, b limitRow) int { return cmp.Compare(a.Running, b.Running) },
		"waiting": func(a, b limitRow) int { return cmp.Compare(a.Waiting, b.Waiting) },
	})
	sortRows(content.Held, content.Order, map[string]func(a, b heldRow) int{
		"name":    func(a, b heldRow) int { return cmp.Compare(a.Name, b.Name) },
		"running": func(a, b heldRow) int { return cmp.Compare(len(a.Holders), len(b.Holders)) },
		"waiting": func(a, b heldRow) int { return cmp.Compare(a.Waiting, b.Waiting) },
	})
	return h.show(q, "limits", q.t("Limits"), "limits", content)
}

// limit describes the limit of a queue.
func (l *language) limit(q limit.Queue) string {
	var parts []string
	if q.Concurrency > 0 {
		parts = append(parts, l.t("%s at once", l.num(q.Concurrency)))
	}
	if q.Rate.Jobs > 0 {
		parts = append(parts, l.rate(q.Rate))
	}
	if q.Burst > 1 {
		parts = append(parts, l.t("up to %s in a row", l.num(q.Burst)))
	}
	return strings.Join(parts, ", ")
}

// rate describes a rate.
func (l *language) rate(r limit.Rate) string {
	jobs := l.num(r.Jobs)
	switch r.Per { //nolint:exhaustive // the units that rates have
	case time.Second:
		return l.t("%s per second", jobs)
	case time.Minute:
		return l.t("%s per minute", jobs)
	case time.Hour:
		return l.t("%s per hour", jobs)
	case 24 * time.Hour:
		return l.t("%s per day", jobs)
	}
	return l.t("%s in %s", jobs, l.figure(tookText(r.Per)))
}
