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
		return fail(http.StatusNotFound, "gone", nil)
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
