package web

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/limit"
)

// queueRow is a queue in a table of queues.
type queueRow struct {
	Name     string
	Size     int64
	Paused   bool
	Limit    *queueLimit   `json:",omitempty"`
	Damage   string        `json:",omitempty"` // why the queue cannot be read
	Workers  int           // number of workers that serve the queue
	Oldest   time.Duration // how long the next job has been waiting; 0 if its payload has no time
	Next     string        // the next job's class
	Line     string        // points of a line that shows how the size changed
	Drain    time.Duration // time until the queue is empty at the present rate; 0 if it does not shrink
	Failures int64         // among the newest failures
}

// queueLimit is the limit of a queue. A part is 0 or empty if there is no such limit.
type queueLimit struct {
	Running     int64
	Concurrency int64
	Rate        string     // such as 100/min
	Allowed     limit.Rate `json:"-"` // the same
}

// Full reports whether no other job may run now.
func (l queueLimit) Full() bool { return l.Concurrency > 0 && l.Running >= l.Concurrency }

func isLimited(q resque.QueueState) bool { return q.Limit != nil }

func limitOf(l *resque.QueueLimit) *queueLimit {
	if l == nil {
		return nil
	}
	shown := &queueLimit{Running: l.Running, Concurrency: l.Concurrency}
	if l.Rate > 0 {
		shown.Allowed = limit.Rate{Jobs: l.Rate, Per: l.Per}
		shown.Rate = shown.Allowed.String()
	}
	return shown
}

func (h *Dashboard) queueRows(snap moment, failures failureCount) []queueRow {
	rows := make([]queueRow, len(snap.Queues))
	for i, state := range snap.Queues {
		row := queueRow{Name: state.Queue, Size: state.Size, Paused: state.Paused, Limit: limitOf(state.Limit), Workers: snap.served[state.Queue], Failures: failures.byQueue[state.Queue]}
		row.Line, row.Drain = h.rates.trend(state.Queue, snap.Now, state.Size)
		if row.Workers == 0 || row.Paused {
			row.Drain = 0 // no worker takes its jobs
		}
		if state.Err != nil {
			row.Damage = state.Err.Error()
		}
		if state.Next != nil {
			row.Next = readJob(state.Next.Raw).Class
			if state.NextSize > int64(len(state.Next.Raw)) {
				row.Next = h.showBeginning(state.Next.Raw, state.NextSize).Class
			}
			row.Oldest = waited(state.Next, snap.Now)
		}
		rows[i] = row
	}
	return rows
}

// waited returns how long a job has been waiting, or 0 if its payload has no time.
func waited(job *resque.Payload, now time.Time) time.Duration {
	at, ok := waitingSince(job)
	if !ok {
		return 0
	}
	return max(now.Sub(at), time.Second)
}

func waitingSince(job *resque.Payload) (at time.Time, ok bool) {
	if job == nil {
		return time.Time{}, false
	}
	return job.WaitingSince()
}

// failedRow is a list of failures and its length.
type failedRow struct {
	Name string
	Size int64
}

func failedRows(snap moment) []failedRow {
	var rows []failedRow
	for _, f := range snap.Failures {
		if f.Size > 0 || f.List == resque.FailedList {
			rows = append(rows, failedRow{f.List, f.Size})
		}
	}
	return rows
}

// queuesPage is the content of the list of queues.
type queuesPage struct {
	Queues []queueRow
	Failed []failedRow
	Filter string
	Sort   string
	Hidden int // number of empty queues that are not shown
	All    bool
	Pager  pager

	Sampled int64 // the newest failures, among which those of the queues are counted
	Order   order `json:"-"`
}

// queuesAtOnce is the number of queues on a page.
const queuesAtOnce = 200

// Ruby: Resque::Server's /queues.
func (h *Dashboard) queues(q *request) error {
	if name, ok := q.URL.Query()["name"]; ok { // a name that no path can have, such as ".."
		q.params = map[string]string{"queue": name[0]}
		return h.queue(q)
	}
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	failures, err := h.countFailing(q.Context(), snap)
	if err != nil {
		return err
	}
	content := queuesPage{
		Queues: h.queueRows(snap, failures), Failed: failedRows(snap), Filter: q.FormValue("q"), Order: queueOrder(q),
		All: q.FormValue("empty") != "hide", Sampled: failures.among,
	}
	content.Sort = content.Order.By
	content.Queues = slices.DeleteFunc(content.Queues, func(r queueRow) bool {
		if !content.All && r.Size == 0 {
			content.Hidden++
			return true
		}
		return !strings.Contains(strings.ToLower(r.Name), strings.ToLower(content.Filter))
	})
	sortQueues(content.Queues, content.Order)
	content.Pager = newPager(q, int64(len(content.Queues)), queuesAtOnce)
	content.Queues = content.Queues[content.Pager.First:content.Pager.Last]
	return h.show(q, "queues", q.t("Queues"), "queues", content)
}

// queueOrder returns the order of a table of queues that the address has.
func queueOrder(q *request) order {
	return newOrder(q, "name", "-size", "next", "-wait", "-drain", "-failures", "workers")
}

func sortQueues(rows []queueRow, by order) {
	sortRows(rows, by, map[string]func(a, b queueRow) int{
		"name":     func(a, b queueRow) int { return cmp.Compare(a.Name, b.Name) },
		"size":     func(a, b queueRow) int { return cmp.Compare(a.Size, b.Size) },
		"next":     func(a, b queueRow) int { return cmp.Compare(a.Next, b.Next) },
		"wait":     func(a, b queueRow) int { return cmp.Compare(a.Oldest, b.Oldest) },
		"drain":    func(a, b queueRow) int { return cmp.Compare(a.Drain, b.Drain) },
		"failures": func(a, b queueRow) int { return cmp.Compare(a.Failures, b.Failures) },
		"workers":  func(a, b queueRow) int { return cmp.Compare(a.Workers, b.Workers) },
	})
}
