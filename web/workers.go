package web

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// workerRow is a worker as pages show it.
type workerRow struct {
	ID, Host, PID string
	Queues        []string
	State         string // working, idle, stale, silent (no heartbeat known), or broken
	Beat          time.Time
	BeatText      string // the heartbeat's text if it is not a time
	Silent        time.Duration
	Queue         string // of the running job
	RunAt         time.Time
	Running       time.Duration
	Long          bool // the job has been running for longer than LongAfter
	Job           *shownJob
	RunAtText     string             `json:"-"` // names the job of a Go worker, which can be told to stop it; else empty
	Progress      *progress          `json:",omitempty"`
	Order         resque.WorkerOrder `json:",omitempty"` // what it was told; empty if it takes no orders
	Registered    bool
	Processed     int64
	Failed        int64
}

// busyWorkers returns the workers with a running job, the longest running first. Jobs
// without a start time come last.
func busyWorkers(snap moment) []resque.RegisteredWorker {
	var sorted []*resque.RegisteredWorker // pointers, because a worker is large
	for i := range snap.Workers {
		if snap.Workers[i].Working {
			sorted = append(sorted, &snap.Workers[i])
		}
	}
	slices.SortStableFunc(sorted, func(a, b *resque.RegisteredWorker) int {
		if a.RunAt.IsZero() || b.RunAt.IsZero() {
			return cmp.Compare(count(a.RunAt.IsZero()), count(b.RunAt.IsZero()))
		}
		return a.RunAt.Compare(b.RunAt)
	})
	busy := make([]resque.RegisteredWorker, len(sorted))
	for i, w := range sorted {
		busy[i] = *w
	}
	return busy
}

func (h *Dashboard) busyRows(busy []resque.RegisteredWorker, now time.Time) []workerRow {
	rows := make([]workerRow, len(busy))
	for i, w := range busy {
		rows[i] = h.rowWithJob(w, now)
	}
	return rows
}

// rowWithJob returns the row of a worker with its running job. A record that cannot
// be read is shown as raw text.
func (h *Dashboard) rowWithJob(w resque.RegisteredWorker, now time.Time) workerRow {
	r := h.row(w)
	switch {
	case !w.Working:
	case w.Damage != nil:
		r.Job = &shownJob{Bad: true}
		if !h.hides() {
			r.Job.Raw = string(w.Job.Raw)
		}
	default:
		job := h.showJob(w.Job.Raw)
		if w.JobSize > int64(len(w.Job.Raw)) {
			job = h.showBeginning(w.Job.Raw, w.JobSize)
		}
		r.Queue, r.Job, r.RunAt = w.Job.Queue, &job, w.RunAt
		if w.Go {
			r.RunAtText = w.RunAtText
		}
		if !w.RunAt.IsZero() {
			r.Running = now.Sub(w.RunAt)
			r.Long = r.Running > h.cfg.LongAfter
		}
	}
	return r
}

// row returns the row of a worker without its job.
func (h *Dashboard) row(w resque.RegisteredWorker) workerRow {
	r := workerRow{
		ID: w.ID, Host: w.Host, Queues: w.Queues, Registered: w.Registered, Processed: w.Processed, Failed: w.Failed,
		Beat: w.Heartbeat, Silent: w.Silence, Order: w.Order,
	}
	parts, _ := wire.ParseWorkerID(w.ID)
	r.PID = parts.Number // includes the slot
	if w.Heartbeat.IsZero() {
		r.BeatText = w.HeartbeatText
	}
	switch {
	case h.isStale(w):
		r.State = "stale"
	case w.Working:
		r.State = "working"
	case w.HeartbeatText == "":
		r.State = "silent"
	default:
		r.State = "idle"
	}
	return r
}

// isStale reports whether a worker's last heartbeat is older than StaleAfter.
func (h *Dashboard) isStale(w resque.RegisteredWorker) bool {
	return !w.Heartbeat.IsZero() && w.Silence > h.cfg.StaleAfter
}

// workingPage is the content of the list of running jobs.
type workingPage struct {
	Working []workerRow
	Workers int
	Pager   pager
	Order   order `json:"-"`
}

// sortWorkers sorts workers by a column of the list of running jobs or of the list of
// workers. What is not known comes last.
func (h *Dashboard) sortWorkers(workers []resque.RegisteredWorker, by order) {
	known := func(a, b bool) int { return cmp.Compare(count(!a), count(!b)) }
	since := func(a, b time.Time) int { // the longest ago first, if the order is reversed
		if n := known(!a.IsZero(), !b.IsZero()); n != 0 && by.Reverse {
			return -n
		} else if n != 0 {
			return n
		}
		return b.Compare(a)
	}
	sortRows(workers, by, map[string]func(a, b resque.RegisteredWorker) int{
		"running":   func(a, b resque.RegisteredWorker) int { return since(a.RunAt, b.RunAt) },
		"heartbeat": func(a, b resque.RegisteredWorker) int { return since(a.Heartbeat, b.Heartbeat) },
		"queue":     func(a, b resque.RegisteredWorker) int { return cmp.Compare(queueOf(a), queueOf(b)) },
		"queues":    func(a, b resque.RegisteredWorker) int { return slices.Compare(a.Queues, b.Queues) },
		"state":     func(a, b resque.RegisteredWorker) int { return cmp.Compare(h.row(a).State, h.row(b).State) },
		"worker": func(a, b resque.RegisteredWorker) int {
			return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.ID, b.ID))
		},
	})
}

func queueOf(w resque.RegisteredWorker) string {
	if w.Job == nil {
		return ""
	}
	return w.Job.Queue
}

// workersAtOnce is the number of workers on a page.
const workersAtOnce = 200

// Ruby: Resque::Server's /working.
func (h *Dashboard) working(q *request) error {
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	busy := busyWorkers(snap)
	content := workingPage{
		Workers: snap.summary.Workers, Pager: newPager(q, int64(len(busy)), workersAtOnce),
		Order: newOrder(q, "-running", "queue", "worker"),
	}
	h.sortWorkers(busy, content.Order)
	shown := busy[content.Pager.First:content.Pager.Last]
	content.Working = h.busyRows(shown, snap.Now)
	if err := h.fillProgress(q.Context(), content.Working, shown, snap.Statuses); err != nil {
		return err
	}
	return h.show(q, "working", q.t("Working"), "working", content)
}

// workersPage is the content of the list of workers.
type workersPage struct {
	Hosts []hostRow
	Only  string // show only this host, if not empty
	Stale int
	Pager pager
	Flat  bool  // sorted by another column than the host: Hosts is one group of all
	Order order `json:"-"`
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
	workers := slices.Clone(snap.Workers) // the snapshot is shared
	if host != "" {
		workers = slices.DeleteFunc(workers, func(w resque.RegisteredWorker) bool { return w.Host != host })
	}
	content := workersPage{
		Only: host, Pager: newPager(q, int64(len(workers)), workersAtOnce),
		Order: newOrder(q, "worker", "state", "queues", "-running", "-heartbeat"),
	}
	content.Flat = content.Order.By != "worker"
	h.sortWorkers(workers, content.Order)
	totals := map[string]*hostRow{}
	for _, w := range workers {
		if totals[w.Host] == nil {
			totals[w.Host] = &hostRow{Name: w.Host}
		}
		totals[w.Host].count(h.row(w))
	}
	shown, err := h.details(q.Context(), workers[content.Pager.First:content.Pager.Last])
	if err != nil {
		return err
	}
	for _, w := range shown {
		r := h.rowWithJob(w, snap.Now)
		switch n := len(content.Hosts); {
		case n == 0 && content.Flat:
			content.Hosts = append(content.Hosts, hostRow{})
		case !content.Flat && (n == 0 || content.Hosts[n-1].Name != r.Host):
			content.Hosts = append(content.Hosts, *totals[r.Host])
		}
		last := &content.Hosts[len(content.Hosts)-1]
		last.Workers = append(last.Workers, r)
	}
	for _, host := range totals {
		content.Stale += host.Stale
	}
	return h.show(q, "workers", q.t("Workers"), "workers", content)
}

// details reads the values that a snapshot does not contain. The running jobs stay
// those of the snapshot, so that the whole page shows the same moment.
func (h *Dashboard) details(ctx context.Context, workers []resque.RegisteredWorker) ([]resque.RegisteredWorker, error) {
	ids := make([]string, len(workers))
	for i, w := range workers {
		ids[i] = w.ID
	}
	read, err := h.client.WorkersByID(ctx, ids...)
	if err != nil {
		return nil, err
	}
	workers = slices.Clone(workers) // the snapshot is shared
	for i, w := range read {
		workers[i].Started, workers[i].Processed, workers[i].Failed = w.Started, w.Processed, w.Failed
	}
	return workers, nil
}

// count counts a worker of the host, whether the page shows it or not.
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
	Worker   workerRow
	Started  time.Time
	Attempt  int64        // of the running job, from 1; 0 if it is not known
	Limit    int64        // of attempts; 0 if it is not known, -1 without a limit
	Failures []failureRow // the newest ones of the running job's class
}

// worker serves the page of a worker, or of a host. Ruby has both at the same path.
//
// Ruby: Resque::Server's /workers/:id.
func (h *Dashboard) worker(q *request) error {
	id := q.params["id"]
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(snap.Workers, func(w resque.RegisteredWorker) bool { return w.ID == id })
	if i < 0 {
		if slices.ContainsFunc(snap.Workers, func(w resque.RegisteredWorker) bool { return w.Host == id }) {
			return h.workersOf(q, id)
		}
		if q.poll { // the id itself ends in ".poll"
			q.poll, q.params["id"] = false, id+".poll"
			return h.worker(q)
		}
		return fail(problemNoWorker, nil)
	}
	details, err := h.details(q.Context(), snap.Workers[i:i+1])
	if err != nil {
		return err
	}
	content := workerPage{Worker: h.rowWithJob(details[0], snap.Now), Started: details[0].Started}
	rows := []workerRow{content.Worker}
	if err := h.fillProgress(q.Context(), rows, details, snap.Statuses); err != nil {
		return err
	}
	content.Worker = rows[0]
	if job := content.Worker.Job; job != nil && !job.Bad {
		if w := details[0]; w.JobSize == int64(len(w.Job.Raw)) {
			attempts, err := h.retries().AttemptsOf(q.Context(), w.Job, w.ID)
			if err != nil {
				return err
			}
			if content.Attempt = attempts.Begun; content.Attempt > 0 {
				content.Limit = attempts.Limit
			}
		}
		if content.Failures, err = h.failuresOf(q.Context(), snap, job.Class); err != nil {
			return err
		}
	}
	return h.show(q, "worker", id, "workers", content)
}

// job serves the page of a running job.
//
// Ruby: Resque::Server's /working/:id.
func (h *Dashboard) job(q *request) error { return h.worker(q) }
