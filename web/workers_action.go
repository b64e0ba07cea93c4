package web

// pauseAll and resumeAll are honoured by every worker, Ruby's and Go's.
func (h *Dashboard) pauseAll(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	if !q.isSure() {
		return h.ask(q, question{
			Title: t("Pause all workers?"), Yes: t("Pause"),
			Text: t("They finish the jobs in hand and take no more, Ruby's and Go's alike, until somebody lets them go on."),
		})
	}
	return h.switchPause(q, "pause", "", t("Paused all workers."))
}

func (h *Dashboard) resumeAll(q *request) error {
	return h.switchPause(q, "resume", "", t("All workers go on."))
}

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
	done, err := h.client.PruneWorker(q.Context(), id, h.cfg.StaleAfter)
	h.report(q.Context(), q, "prune", id, int64(count(done)), err)
	if err != nil {
		return err
	}
	if !done {
		return fail(problemNotPruned, nil)
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
		if h.isStale(w) {
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
		ok, wrong := h.client.PruneWorker(q.Context(), id, h.cfg.StaleAfter)
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
