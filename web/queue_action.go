package web

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/goresque/goresque/resque"
)

// removeQueue empties a queue and removes it from the list of queues.
//
// Ruby: Resque::Server's POST /queues/:id/remove.
func (h *Dashboard) removeQueue(q *request) error { return h.emptyQueue(q, true) }

// clearQueue empties a queue.
func (h *Dashboard) clearQueue(q *request) error { return h.emptyQueue(q, false) }

// queueName returns the queue of the path or, for a name that no path can have, of the
// field "name".
func (q *request) queueName() (string, error) {
	if name, ok := q.params["queue"]; ok {
		return name, nil
	}
	names := q.PostForm["name"]
	if len(names) != 1 || isPlainName(names[0]) {
		return "", fail(problemForm, fmt.Errorf("%d names of queues", len(names)))
	}
	return names[0], nil
}

func (h *Dashboard) emptyQueue(q *request, forget bool) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	name, err := q.queueName()
	if err != nil {
		return err
	}
	queue := h.client.Queue(name)
	_, size, err := queue.Page(q.Context(), 0, 1)
	if err != nil {
		return err
	}
	act, ask := "clear", question{Title: q.t("Clear queue %s?", name), Yes: q.t("Clear"), Count: size}
	if forget {
		act, ask = "remove", question{Title: q.t("Remove queue %s?", name), Yes: q.t("Remove"), Count: size}
	}
	ask.Text = q.tn("The 1 job in it is removed.|The %s jobs in it are removed.", size)
	if !q.isSureOf(size) {
		return h.ask(q, ask)
	}
	p, err := queue.Clear(q.Context(), h.keep())
	if err == nil && forget {
		err = queue.Forget(q.Context())
	}
	h.report(q.Context(), q, act+" queue", name, p.Done, err)
	if err != nil {
		return err
	}
	h.forget()
	done := flash{Text: q.tn("Removed 1 job from queue|Removed %s jobs from queue", p.Done) + " " + name + ".", Trash: p.Trash}
	h.trim(q.Context(), p.Trash)
	return q.back("queues", done, map[string]any{"done": p.Done, "trash": p.Trash})
}

// pauseQueue and resumeQueue affect Go workers, and Ruby workers that use the
// resque-pause plugin.
func (h *Dashboard) pauseQueue(q *request) error {
	return h.switchPause(q, "pause", q.params["queue"], q.t("Paused queue %s.", q.params["queue"]))
}

func (h *Dashboard) resumeQueue(q *request) error {
	return h.switchPause(q, "resume", q.params["queue"], q.t("Resumed queue %s.", q.params["queue"]))
}

// removeJobs removes the selected jobs of a queue.
func (h *Dashboard) removeJobs(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	name := q.params["queue"]
	if asked := len(q.PostForm["ids"]); asked > 1 && !q.isSureOf(int64(asked)) {
		return h.ask(q, question{Title: q.tn("Remove 1 job?|Remove %s jobs?", int64(asked)), Yes: q.t("Remove"), Count: int64(asked)})
	}
	ids, err := chosen(q)
	if err != nil {
		return err
	}
	p, err := h.client.Queue(name).Remove(q.Context(), h.keep(), ids...)
	return h.tookJobs(q, "remove jobs", name, p, err, q.t("Removed"))
}

// moveJobs moves the selected jobs of a queue to the end of another.
func (h *Dashboard) moveJobs(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	name, to := q.params["queue"], strings.TrimSpace(q.PostFormValue("to"))
	if to == "" || to == name {
		return fail(problemForm, nil)
	}
	ids, err := chosen(q)
	if err != nil {
		return err
	}
	p, err := h.client.Queue(name).Move(q.Context(), to, ids...)
	return h.tookJobs(q, "move jobs", name+" → "+to, p, err, q.t("Moved"))
}

func (h *Dashboard) tookJobs(q *request, act, target string, p resque.BulkProgress, err error, verb string) error {
	h.report(q.Context(), q, act, target, p.Done, err)
	if err != nil {
		return err
	}
	h.forget()
	f := flash{Text: verb + " " + q.tn("1 job.|%s jobs.", p.Done), Trash: p.Trash, Bad: p.Done == 0}
	if p.Gone > 0 {
		f.Text += " " + q.tn("1 no longer existed.|%s no longer existed.", p.Gone)
	}
	h.trim(q.Context(), p.Trash)
	return q.back("queues/"+url.PathEscape(q.params["queue"]), f, map[string]any{"done": p.Done, "missing": p.Gone, "trash": p.Trash})
}

// removeMatching and moveMatching act on the jobs of a queue that match the form's filter,
// in the background.
func (h *Dashboard) removeMatching(q *request) error {
	filter, name, err := matchingJobs(q)
	if err != nil {
		return err
	}
	queue := h.client.Queue(name)
	match := func(job resque.QueuedJob) bool { return h.passes(filter, job.Raw) }
	n, sure, err := q.isSureOfAll(func() (int64, error) { return queue.Count(q.Context(), match) })
	if err != nil {
		return err
	}
	if !sure {
		return h.ask(q, question{
			Title: q.tn("Remove 1 job?|Remove %s jobs?", n), Yes: q.t("Remove"), Count: n, Hidden: filter.Hidden(),
			Text: q.t("All jobs in queue %s that match the filter are removed.", name),
		})
	}
	return h.operate(q, "remove jobs", name, "queues/"+url.PathEscape(name), func(ctx context.Context, tell func(resque.BulkProgress)) (resque.BulkProgress, error) {
		return queue.RemoveMatching(ctx, h.keep(), match, tell)
	})
}

func (h *Dashboard) moveMatching(q *request) error {
	if err := q.may(RightEdit); err != nil {
		return err
	}
	filter, name, err := matchingJobs(q)
	if err != nil {
		return err
	}
	to := strings.TrimSpace(q.PostFormValue("to"))
	if to == "" || to == name {
		return &problem{code: problemForm, advice: q.t("Name another queue to move the jobs to.")}
	}
	queue := h.client.Queue(name)
	match := func(job resque.QueuedJob) bool { return h.passes(filter, job.Raw) }
	n, sure, err := q.isSureOfAll(func() (int64, error) { return queue.Count(q.Context(), match) })
	if err != nil {
		return err
	}
	if !sure {
		return h.ask(q, question{
			Title: q.tn("Move 1 job?|Move %s jobs?", n), Yes: q.t("Move"), Count: n, Hidden: filter.Hidden(),
			Text: q.t("All jobs in queue %s that match the filter are moved to the end of queue %s.", name, to),
		})
	}
	return h.operate(q, "move jobs", name+" → "+to, "queues/"+url.PathEscape(name), func(ctx context.Context, tell func(resque.BulkProgress)) (resque.BulkProgress, error) {
		return queue.MoveMatching(ctx, to, match, tell)
	})
}

// matchingJobs reads the filter of an action on all matching jobs of a queue.
func matchingJobs(q *request) (filter jobFilter, queue string, err error) {
	if err := q.mayWrite(); err != nil {
		return filter, "", err
	}
	if err := q.noEmptyFields("class", "q"); err != nil {
		return filter, "", err
	}
	filter = jobFilter{Class: q.FormValue("class"), Text: q.FormValue("q")}
	if filter.isEmpty() {
		return filter, "", &problem{code: problemForm, advice: q.t("No class and no text are given. To remove all jobs, clear the queue.")}
	}
	return filter, q.params["queue"], nil
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
