package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// workingPage is the content of the list of jobs in hand.
type workingPage struct {
	Working []workerRow
	Workers int
}

// Ruby: Resque::Server's /working.
func (h *Dashboard) working(q *request) error {
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	return h.show(q, "working", t("Working"), "working", workingPage{busy(h.rows(snap)), registered(snap)})
}

func registered(snap store.Snapshot) int {
	n := 0
	for _, w := range snap.Workers {
		n += count(w.Registered)
	}
	return n
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

// workersAtOnce is how many workers a page lists.
const workersAtOnce = 1000

// Ruby: Resque::Server's /workers and /workers/all.
func (h *Dashboard) workers(q *request) error { return h.workersOf(q, "") }

func (h *Dashboard) workersOf(q *request, host string) error {
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	rows := h.rows(snap)
	if host != "" {
		rows = slices.DeleteFunc(rows, func(r workerRow) bool { return r.Host != host })
	}
	content := workersPage{Only: host, Pager: newPager(q, int64(len(rows)), workersAtOnce)}
	slices.SortStableFunc(rows, func(a, b workerRow) int { return cmp.Compare(a.Host, b.Host) })
	rows = rows[content.Pager.First:content.Pager.Last]
	for _, r := range rows {
		if n := len(content.Hosts); n == 0 || content.Hosts[n-1].Name != r.Host {
			content.Hosts = append(content.Hosts, hostRow{Name: r.Host})
		}
		content.Hosts[len(content.Hosts)-1].add(r)
		if r.State == "stale" {
			content.Stale++
		}
	}
	return h.show(q, "workers", t("Workers"), "workers", content)
}

func (r *hostRow) add(w workerRow) {
	r.Workers = append(r.Workers, w)
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
		if slices.ContainsFunc(h.rows(snap), func(r workerRow) bool { return r.Host == id }) {
			return h.workersOf(q, id)
		}
		return fail(http.StatusNotFound, "gone", nil)
	}
	started, _ := parseTime(snap.Workers[i].Started) // left out where there is none
	content := workerPage{h.row(snap.Workers[i], snap.Now), started}
	return h.show(q, "worker", id, "workers", content)
}

// job is the page of a job in hand.
//
// Ruby: Resque::Server's /working/:id.
func (h *Dashboard) job(q *request) error { return h.worker(q) }

// pruneOne settles the job of a dead worker and removes what is left of it.
func (h *Dashboard) pruneOne(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	id := q.params["id"]
	if !q.isSure() {
		return h.ask(q, question{
			Title: t("Prune worker %s?", id), Yes: t("Prune"),
			Text: t("Its job, if it has one, goes to the failures, and its registration is removed. A worker that is alive is left alone."),
		})
	}
	done, err := h.prune(q.Context(), id)
	h.report(q.Context(), q, "prune", id, int64(count(done)), err)
	if err != nil {
		return err
	}
	if !done {
		return fail(http.StatusConflict, "changed", nil)
	}
	h.forget()
	return q.back("workers", flash{Text: t("Pruned %s.", id)}, map[string]any{"done": 1})
}

func count(done bool) int {
	if done {
		return 1
	}
	return 0
}

// pruneStale does the same for all that are stale.
func (h *Dashboard) pruneStale(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	var stale []string
	for _, w := range snap.Workers {
		if h.isStale(w, snap.Now) {
			stale = append(stale, w.ID)
		}
	}
	if !q.isSure() {
		return h.ask(q, question{
			Title: tn("Prune 1 stale worker?|Prune %s stale workers?", int64(len(stale))), Yes: t("Prune"), Sample: stale,
			Text: t("Their jobs go to the failures, and their registrations are removed."),
		})
	}
	var done int64
	for _, id := range stale {
		ok, wrong := h.prune(q.Context(), id)
		done += int64(count(ok))
		if wrong != nil {
			err = wrong
			break
		}
	}
	h.report(q.Context(), q, "prune", "stale workers", done, err)
	if err != nil {
		return err
	}
	h.forget()
	return q.back("workers", flash{Text: tn("Pruned 1 worker.|Pruned %s workers.", done)}, map[string]any{"done": done})
}

// prune ends a worker whose heartbeat, looked at again, is still old: the script
// does nothing once it beats.
//
// Ruby: Resque::Worker#prune_dead_workers.
func (h *Dashboard) prune(ctx context.Context, id string) (done bool, err error) {
	const tries = 5 // its record may change under our eyes
	for range tries {
		beats, now, err := h.store.Heartbeats(ctx)
		if err != nil {
			return false, err
		}
		if !h.isStale(store.WorkerState{ID: id, Heartbeat: beats[id]}, now) {
			return false, nil
		}
		record, err := h.store.Record(ctx, id)
		if err != nil {
			return false, err
		}
		pruned, err := h.store.Prune(ctx, record, beats[id], h.lost(record))
		switch {
		case err != nil:
			return false, err
		case pruned == store.PrunedNow:
			return true, nil
		case pruned == store.NotPruned:
			return false, nil
		}
	}
	return false, fmt.Errorf("pruning worker %q: its record keeps changing", id)
}

// lost is the failure of the job that a dead worker has in its record.
func (h *Dashboard) lost(r store.Record) []store.Effect {
	if len(r.Text) == 0 {
		return nil
	}
	dead := &resque.DeadWorkerError{Worker: r.Worker}
	if job, err := resque.ParseReserved(r.Queue, r.Raw); err == nil {
		dead.Class = job.Class
	}
	job := &resque.Reserved{Queue: r.Queue, Payload: r.Payload, Worker: r.Worker}
	return []store.Effect{h.store.Fail(resque.NewFailure(job, dead, time.Now()).AppendJSON(nil))}
}
