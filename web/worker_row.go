package web

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/fnmatch"
	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
)

// workerRow is a worker as pages show it.
type workerRow struct {
	ID, Host, PID string
	Queues        []string
	State         string // working, idle, stale, silent (no heartbeat known), or broken
	Beat          time.Time
	BeatText      string // where it is no time
	Silent        time.Duration
	Queue         string // of the job in hand
	RunAt         time.Time
	Running       time.Duration
	Job           *shownJob
	Registered    bool
	Processed     int64
	Failed        int64
}

// busyWorker is a worker that has a job in hand, and since when.
type busyWorker struct {
	store.WorkerState
	runAt time.Time
}

// busyWorkers are those that have a job in hand, the longest running first; those
// that do not say since when come last. Their jobs are not read: most of many are
// not shown.
func busyWorkers(snap moment) []busyWorker {
	var busy []busyWorker
	for _, w := range snap.Workers {
		if len(w.Record.Text) > 0 {
			busy = append(busy, busyWorker{w, runAt(w.Record.Text)})
		}
	}
	slices.SortStableFunc(busy, func(a, b busyWorker) int {
		if a.runAt.IsZero() || b.runAt.IsZero() {
			return cmp.Compare(count(a.runAt.IsZero()), count(b.runAt.IsZero()))
		}
		return a.runAt.Compare(b.runAt)
	})
	return busy
}

func runAt(record []byte) time.Time {
	spans, err := rubyjson.Spans(record, "run_at")
	if err != nil {
		return time.Time{}
	}
	text, _ := rubyjson.Text(spans[0].Of(record)) // empty where it is no string
	at, _ := parseTime(text)                      // zero where it is no time
	return at
}

func (h *Dashboard) busyRows(busy []busyWorker, now time.Time) []workerRow {
	rows := make([]workerRow, len(busy))
	for i, w := range busy {
		rows[i] = h.rowWithJob(w.WorkerState, now)
	}
	return rows
}

// rowWithJob is a worker with what it has in hand.
func (h *Dashboard) rowWithJob(w store.WorkerState, now time.Time) workerRow {
	r := h.row(w, now)
	if len(w.Record.Text) > 0 {
		h.work(&r, w.Record.Text, now)
	}
	return r
}

// row is a worker without its job.
func (h *Dashboard) row(w store.WorkerState, now time.Time) workerRow {
	r := workerRow{ID: w.ID, Registered: w.Registered, Processed: w.Processed, Failed: w.Failed}
	r.Host, r.PID, r.Queues = splitID(w.ID)
	var ok bool
	if r.Beat, ok = parseTime(w.Heartbeat); ok {
		r.Silent = now.Sub(r.Beat)
	} else {
		r.BeatText = w.Heartbeat
	}
	switch {
	case h.isStale(w, now):
		r.State = "stale"
	case len(w.Record.Text) > 0:
		r.State = "working"
	case w.Heartbeat == "":
		r.State = "silent"
	default:
		r.State = "idle"
	}
	return r
}

// work reads what the worker has in hand. A record that cannot be read is shown
// as it is.
func (h *Dashboard) work(r *workerRow, record []byte, now time.Time) {
	var working struct {
		Queue   string          `json:"queue"`
		RunAt   string          `json:"run_at"`
		Payload json.RawMessage `json:"payload"`
	}
	if json.Unmarshal(record, &working) != nil {
		r.Job = &shownJob{Bad: true}
		if !h.hides() {
			r.Job.Raw = string(record)
		}
		return
	}
	job := h.showJob(working.Payload)
	r.Queue, r.Job = working.Queue, &job
	if at, ok := parseTime(working.RunAt); ok {
		r.RunAt, r.Running = at, now.Sub(at)
	}
}

// isStale tells whether a worker has been silent for so long that it is dead, or
// left nothing but its heartbeat.
func (h *Dashboard) isStale(w store.WorkerState, now time.Time) bool {
	beat, ok := parseTime(w.Heartbeat)
	return ok && now.Sub(beat) > h.cfg.StaleAfter
}

// splitID reads "host:pid:queues". Queue names may have colons, too.
//
// Ruby: Resque::Worker#hostname, #pid and #queues.
func splitID(id string) (host, pid string, queues []string) {
	host, rest, _ := strings.Cut(id, ":")
	pid, list, _ := strings.Cut(rest, ":")
	return strings.TrimSuffix(host, "~go"), pid, strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

func hostOf(id string) string {
	host, _, _ := strings.Cut(id, ":")
	return strings.TrimSuffix(host, "~go")
}

// servedQueues counts for each queue the live workers that work it.
func servedQueues(snap store.Snapshot) map[string]int {
	served := map[string]int{}
	byList := map[string]int{} // many workers have the same queues
	for _, w := range snap.Workers {
		if w.Registered {
			_, _, queues := splitID(w.ID)
			byList[strings.Join(queues, ",")]++
		}
	}
	for list, workers := range byList {
		given := strings.Split(list, ",")
		for _, q := range snap.Queues {
			if works(given, q.Name) {
				served[q.Name] += workers
			}
		}
	}
	return served
}

// works tells whether a worker of these queues, patterns and exclusions takes a
// queue's jobs. Go's workers are registered with their patterns alone.
func works(given []string, queue string) bool {
	excluded := slices.ContainsFunc(given, func(g string) bool {
		pattern, ok := strings.CutPrefix(g, "!")
		return ok && fnmatch.Match(pattern, queue)
	})
	return !excluded && slices.ContainsFunc(given, func(g string) bool { return g == queue || fnmatch.Match(g, queue) })
}

// parseTime reads the times that Resque's programs write.
func parseTime(text string) (time.Time, bool) {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 MST", "2006/01/02 15:04:05 MST",
		"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006/01/02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
	} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
