package web

import (
	"context"
	"errors"

	"github.com/goresque/goresque/resque"
)

// pauseAll and resumeAll affect all workers, Ruby's and Go's.
func (h *Dashboard) pauseAll(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	if !q.isSure() {
		return h.ask(q, question{
			Title: q.t("Pause all workers?"), Yes: q.t("Pause"),
			Text: q.t("All workers, in Ruby and in Go, finish their running jobs and take no new ones until they are resumed."),
		})
	}
	return h.switchPause(q, "pause", "", q.t("Paused all workers."))
}

func (h *Dashboard) resumeAll(q *request) error {
	return h.switchPause(q, "resume", "", q.t("Resumed all workers."))
}

// pruneOne deals with the job of a dead worker and unregisters the worker.
func (h *Dashboard) pruneOne(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	id := q.params["id"]
	if !q.isSure() {
		return h.ask(q, question{
			Title: q.t("Prune worker %s?", id), Yes: q.t("Prune"),
			Text: q.t("If the worker was running a job, the job is recorded as failed. Then the worker is removed from the list. A worker that is alive is not pruned."),
		})
	}
	done, err := h.prune(q.Context(), id)
	h.report(q.Context(), q, "prune", id, int64(count(done)), err)
	if err != nil {
		return err
	}
	h.forget()
	return q.back("workers", flash{Text: q.t("Pruned %s.", id)}, map[string]any{"done": 1})
}

// prune prunes a worker that is silent, unless it is a Go worker that is connected.
func (h *Dashboard) prune(ctx context.Context, id string) (done bool, err error) {
	opts := h.cfg.Prune
	opts.Silent, opts.Force, opts.Heartbeat = h.cfg.StaleAfter, false, nil
	_, err = h.client.Prune(ctx, id, opts)
	switch {
	case errors.Is(err, resque.ErrWorkerAlive):
		err = fail(problemAlive, err)
	case errors.Is(err, resque.ErrNoWorker):
		err = fail(problemNotPruned, err)
	}
	return err == nil, err
}

// stopJob cancels the job that the page has shown, if the worker still performs it.
func (h *Dashboard) stopJob(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	id, runAt := q.params["id"], q.PostFormValue("run_at")
	if runAt == "" {
		return fail(problemForm, errors.New("run_at is missing: it names the job"))
	}
	if !q.isSure() {
		return h.ask(q, question{
			Title: q.t("Stop the job of %s?", id), Yes: q.t("Stop this job"),
			Text: q.t("The job is told to end. Usually it then fails, and it is not retried. A job that ignores this runs to its end."),
		})
	}
	told, err := h.client.CancelRunning(q.Context(), id, runAt)
	if err == nil && !told || errors.Is(err, resque.ErrNotCancelable) {
		err = fail(problemNotRunning, err)
	}
	h.report(q.Context(), q, "stop", id, int64(count(told)), err)
	if err != nil {
		return err
	}
	h.forget()
	return q.back("working", flash{Text: q.t("Told %s to stop its job.", id)}, map[string]any{"done": 1})
}

// quietWorker, resumeWorker and endWorker tell the process of a Go worker that takes orders
// what to do. They never affect Ruby's workers.
func (h *Dashboard) quietWorker(q *request) error {
	return h.tellWorker(q, resque.OrderQuiet, question{
		Title: q.t("Let worker %s take no more jobs?", q.params["id"]), Yes: q.t("Take no more jobs"),
		Text: q.t("All slots of its process finish their running jobs and wait, until the worker is resumed or starts again."),
	})
}

func (h *Dashboard) resumeWorker(q *request) error {
	return h.tellWorker(q, resque.OrderWork, question{
		Title: q.t("Let worker %s take jobs again?", q.params["id"]), Yes: q.t("Resume"),
	})
}

func (h *Dashboard) endWorker(q *request) error {
	return h.tellWorker(q, resque.OrderStop, question{
		Title: q.t("Stop worker %s?", q.params["id"]), Yes: q.t("Stop the worker"),
		Text: q.t("Its process takes no more jobs, finishes the running ones as it is configured, and ends, with all its slots. It starts again only if something starts it, such as systemd or Kubernetes."),
	})
}

func (h *Dashboard) tellWorker(q *request, order resque.WorkerOrder, ask question) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	id := q.params["id"]
	if !q.isSure() {
		return h.ask(q, ask)
	}
	err := h.client.TellWorker(q.Context(), id, order)
	if errors.Is(err, resque.ErrTakesNoOrders) {
		err = fail(problemNoOrders, err)
	}
	h.report(q.Context(), q, string(order)+" worker", id, int64(count(err == nil)), err)
	if err != nil {
		return err
	}
	h.forget()
	return q.back("workers", flash{Text: q.t("Told worker %s.", id)}, map[string]any{"done": 1})
}

func count(done bool) int {
	if done {
		return 1
	}
	return 0
}

// pruneStale prunes all stale workers.
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
		if h.isStale(w) {
			stale = append(stale, w.ID)
		}
	}
	if !q.isSure() {
		return h.ask(q, question{
			Title: q.tn("Prune 1 stale worker?|Prune %s stale workers?", int64(len(stale))), Yes: q.t("Prune"), Sample: stale,
			Text: q.t("The jobs that they were running are recorded as failed. Then the workers are removed from the list."),
		})
	}
	var done int64
	for _, id := range stale {
		ok, wrong := h.prune(q.Context(), id)
		done += int64(count(ok))
		if !isProblem(wrong, problemAlive) && !isProblem(wrong, problemNotPruned) { // and prune the others
			err = errors.Join(err, wrong)
		}
	}
	h.report(q.Context(), q, "prune", "stale workers", done, err)
	if err != nil {
		return err
	}
	h.forget()
	return q.back("workers", flash{Text: q.tn("Pruned 1 worker.|Pruned %s workers.", done)}, map[string]any{"done": done})
}
