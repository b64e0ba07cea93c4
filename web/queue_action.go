package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// removeQueue empties a queue and makes it unknown.
//
// Ruby: Resque::Server's POST /queues/:id/remove.
func (h *Dashboard) removeQueue(q *request) error { return h.emptyQueue(q, true) }

// clearQueue empties a queue.
func (h *Dashboard) clearQueue(q *request) error { return h.emptyQueue(q, false) }

func (h *Dashboard) emptyQueue(q *request, forget bool) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	name := q.params["queue"]
	_, size, err := h.store.QueuePage(q.Context(), name, 0, 0)
	if err != nil {
		return err
	}
	act, ask := "clear", question{Title: t("Clear queue %s?", name), Yes: t("Clear"), Count: size}
	if forget {
		act, ask = "remove", question{Title: t("Remove queue %s?", name), Yes: t("Remove"), Count: size}
	}
	ask.Text = tn("1 job waits there.|%s jobs wait there.", size)
	if !q.isSure() {
		return h.ask(q, ask)
	}
	trash := h.trash(store.QueueTrash, name)
	n, err := h.store.ClearQueue(q.Context(), name, trash)
	if err == nil && n > 0 {
		err = h.store.NoteTrash(q.Context(), trash, time.Now())
	}
	if err == nil && forget {
		err = h.store.ForgetQueue(q.Context(), name)
	}
	h.report(q.Context(), q, act+" queue", name, n, err)
	if err != nil {
		return err
	}
	h.forget()
	done := flash{Text: tn("Removed 1 job from queue|Removed %s jobs from queue", n) + " " + name + ".", Trash: trashTokens(trash)}
	if n == 0 {
		done.Trash = nil
	}
	h.trim(q.Context(), done.Trash)
	return q.back("queues", done, map[string]any{"done": n, "trash": done.Trash})
}

// pauseQueue and resumeQueue are honoured by Go's workers, and by Ruby's with the
// resque-pause plugin.
func (h *Dashboard) pauseQueue(q *request) error {
	return h.switchPause(q, "pause", q.params["queue"], t("Paused queue %s.", q.params["queue"]))
}

func (h *Dashboard) resumeQueue(q *request) error {
	return h.switchPause(q, "resume", q.params["queue"], t("Queue %s goes on.", q.params["queue"]))
}

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

func (h *Dashboard) switchPause(q *request, act, queue, said string) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	var err error
	switch {
	case act == "pause" && queue == "":
		err = h.client.Pause(q.Context())
	case act == "pause":
		err = h.client.PauseQueue(q.Context(), queue)
	case queue == "":
		err = h.client.Resume(q.Context())
	default:
		err = h.client.ResumeQueue(q.Context(), queue)
	}
	h.report(q.Context(), q, act, queue, 1, err)
	if err != nil {
		return err
	}
	h.forget()
	return q.back("queues", flash{Text: said}, map[string]any{"done": 1})
}

// removeJobs removes the chosen jobs of a queue.
func (h *Dashboard) removeJobs(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	name := q.params["queue"]
	if asked := len(q.PostForm["ids"]); asked > 1 && !q.isSure() {
		return h.ask(q, question{Title: tn("Remove 1 job?|Remove %s jobs?", int64(asked)), Yes: t("Remove"), Count: int64(asked)})
	}
	jobs, err := h.chosen(q, name)
	if err != nil {
		return err
	}
	trash := h.trash(store.QueueTrash, name)
	taken, err := h.store.RemoveJobs(q.Context(), name, jobs, trash)
	if err == nil && slices.Contains(taken, true) {
		err = h.store.NoteTrash(q.Context(), trash, time.Now())
	}
	return h.tookJobs(q, "remove jobs", name, taken, err, t("Removed"), trashTokens(trash))
}

// moveJobs moves the chosen jobs of a queue to the end of another.
func (h *Dashboard) moveJobs(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	name, to := q.params["queue"], strings.TrimSpace(q.PostFormValue("to"))
	if to == "" || to == name {
		return fail(http.StatusBadRequest, "form", nil)
	}
	jobs, err := h.chosen(q, name)
	if err != nil {
		return err
	}
	taken, err := h.store.MoveJobs(q.Context(), name, to, jobs)
	return h.tookJobs(q, "move jobs", name+" → "+to, taken, err, t("Moved"), nil)
}

func (h *Dashboard) tookJobs(q *request, act, target string, taken []bool, err error, verb string, trash []string) error {
	var done int64
	for _, ok := range taken {
		done += int64(count(ok))
	}
	h.report(q.Context(), q, act, target, done, err)
	if err != nil {
		return err
	}
	h.forget()
	missing := int64(len(q.PostForm["ids"])) - done
	f := flash{Text: verb + " " + tn("1 job.|%s jobs.", done), Trash: trash, Bad: done == 0}
	if missing > 0 {
		f.Text += " " + tn("1 was gone already.|%s were gone already.", missing)
	}
	if done == 0 {
		f.Trash = nil
	}
	h.trim(q.Context(), f.Trash)
	return q.back("queues/"+url.PathEscape(q.params["queue"]), f, map[string]any{"done": done, "missing": missing, "trash": f.Trash})
}

// restore brings back what was removed.
func (h *Dashboard) restore(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	token := q.params["id"]
	var n int64
	var err error
	if queue, ok := store.TrashedList(token); ok {
		n, err = h.restoreJobs(q, queue, token)
	} else {
		n, err = h.failures.Restore(q.Context(), token)
	}
	h.report(q.Context(), q, "restore", token, n, err)
	if err != nil {
		return err
	}
	h.forget()
	return q.back("failed", flash{Text: tn("Brought 1 back.|Brought %s back.", n)}, map[string]any{"done": n})
}

func (h *Dashboard) restoreJobs(q *request, queue, token string) (n int64, err error) {
	const part = 500
	for {
		moved, err := h.store.RestoreJobs(q.Context(), queue, token, part)
		n += moved
		switch {
		case err != nil:
			return n, err
		case n == 0:
			return 0, fail(http.StatusGone, "gone", nil)
		case moved < part:
			return n, h.store.ForgetTrash(q.Context(), token)
		}
	}
}
