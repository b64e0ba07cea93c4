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

// workingPage is the content of the list of jobs in hand.
type workingPage struct {
	Working []workerRow
	Workers int
	Pager   pager
}

// workersAtOnce is how many workers a page lists.
const workersAtOnce = 200

// Ruby: Resque::Server's /working.
func (h *Dashboard) working(q *request) error {
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	busy := busyWorkers(snap)
	content := workingPage{Workers: snap.summary.Workers, Pager: newPager(q, int64(len(busy)), workersAtOnce)}
	content.Working = h.busyRows(busy[content.Pager.First:content.Pager.Last], snap.Now)
	return h.show(q, "working", t("Working"), "working", content)
}

// workersPage is the content of the list of workers.
type workersPage struct {
	Hosts []hostRow
	Only  string // the one host that was asked for
	Stale int
	Pager pager
}

// hostRow is a host with its workers.
type hostRow struct {
	Name                  string
	Workers               []workerRow
	Working, Stale, Total int
}

// Ruby: Resque::Server's /workers and /workers/all.
func (h *Dashboard) workers(q *request) error { return h.workersOf(q, "") }

func (h *Dashboard) workersOf(q *request, host string) error {
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	workers := slices.Clone(snap.Workers) // viewers share the snapshot's
	if host != "" {
		workers = slices.DeleteFunc(workers, func(w store.WorkerState) bool { return hostOf(w.ID) != host })
	}
	content := workersPage{Only: host, Pager: newPager(q, int64(len(workers)), workersAtOnce)}
	slices.SortStableFunc(workers, func(a, b store.WorkerState) int { return cmp.Compare(hostOf(a.ID), hostOf(b.ID)) })
	totals := map[string]*hostRow{}
	for _, w := range workers {
		name := hostOf(w.ID)
		if totals[name] == nil {
			totals[name] = &hostRow{Name: name}
		}
		totals[name].count(h.row(w, snap.Now))
	}
	workers = workers[content.Pager.First:content.Pager.Last]
	if err := h.store.WorkerDetails(q.Context(), workers); err != nil {
		return err
	}
	for _, w := range workers {
		r := h.rowWithJob(w, snap.Now)
		if n := len(content.Hosts); n == 0 || content.Hosts[n-1].Name != r.Host {
			content.Hosts = append(content.Hosts, *totals[r.Host])
		}
		last := &content.Hosts[len(content.Hosts)-1]
		last.Workers = append(last.Workers, r)
	}
	for _, host := range totals {
		content.Stale += host.Stale
	}
	return h.show(q, "workers", t("Workers"), "workers", content)
}

// count adds a worker of the host, shown or not.
func (r *hostRow) count(w workerRow) {
	r.Total++
	switch w.State {
	case "working":
		r.Working++
	case "stale":
		r.Stale++
	}
}

// workerPage is the content of one worker's page.
type workerPage struct {
	Worker  workerRow
	Started time.Time
}

// worker is the page of a worker, or of a host, which Ruby has at the same path.
//
// Ruby: Resque::Server's /workers/:id.
func (h *Dashboard) worker(q *request) error {
	id := q.params["id"]
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(snap.Workers, func(w store.WorkerState) bool { return w.ID == id })
	if i < 0 {
		if slices.ContainsFunc(snap.Workers, func(w store.WorkerState) bool { return hostOf(w.ID) == id }) {
			return h.workersOf(q, id)
		}
		return fail(problemNoWorker, nil)
	}
	worker := slices.Clone(snap.Workers[i : i+1]) // viewers share the snapshot's
	if err := h.store.WorkerDetails(q.Context(), worker); err != nil {
		return err
	}
	started, _ := parseTime(worker[0].Started) // left out where there is none
	content := workerPage{h.rowWithJob(worker[0], snap.Now), started}
	return h.show(q, "worker", id, "workers", content)
}

// job is the page of a job in hand.
//
// Ruby: Resque::Server's /working/:id.
func (h *Dashboard) job(q *request) error { return h.worker(q) }
