package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/resque"
)

// named returns the failure that a path or a form names: by position and digest or,
// as in Ruby's paths, by position alone. A GET replaces the latter by the former.
func (h *Dashboard) named(q *request, text string) (resque.FailedJob, error) {
	list := cmp.Or(q.params["queue"], resque.FailedList)
	if position, err := strconv.ParseInt(text, 10, 64); err == nil && position >= 0 {
		jobs, err := h.failures.Preview(q.Context(), list, position, 1, pageBytes)
		if err != nil {
			return resque.FailedJob{}, err
		}
		if len(jobs) == 0 {
			return resque.FailedJob{}, fail(problemGone, nil)
		}
		return jobs[0], nil
	}
	id, err := h.parseID(list, text)
	if err != nil {
		return resque.FailedJob{}, err
	}
	return h.failures.Find(q.Context(), id)
}

func (h *Dashboard) parseID(list, text string) (resque.FailureID, error) {
	id, err := resque.ParseFailureID(text)
	if err == nil && id.List == resque.FailedList {
		id.List = list
	}
	return id, err
}

// askRequeue and askRemove answer Ruby's GET requests with a question. In Ruby these
// requests act at once, so a prefetching browser can trigger them.
func (h *Dashboard) askRequeue(q *request) error {
	return h.askOne(q, q.t("Retry this job?"), q.t("Retry"), "failed/requeue/")
}

func (h *Dashboard) askRemove(q *request) error {
	return h.askOne(q, q.t("Remove this failure?"), q.t("Remove"), "failed/remove/")
}

func (h *Dashboard) askOne(q *request, title, yes, action string) error {
	f, err := h.named(q, q.params["id"])
	if err != nil {
		return err
	}
	row := h.failureRow(f)
	return h.ask(q, question{
		Title: title, Yes: yes, Action: action + f.ID.String(),
		Sample: []string{row.Job.Class + " — " + row.Exception + ": " + cut(200, row.Error)},
	})
}

// requeueOne retries one failure, unchanged or with the queue and arguments of the
// form.
//
// Ruby: Resque::Server's /failed/requeue/:index.
func (h *Dashboard) requeueOne(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	id, done, err := h.byPost(q, h.askRequeue)
	if done || err != nil {
		return err
	}
	how := resque.RequeueOptions{
		Queue: strings.TrimSpace(q.PostFormValue("queue")), Remove: q.FormValue("remove") != "", Again: q.FormValue("again") != "" || q.isSure(),
		Keep: h.keep().Keep,
	}
	text := q.PostFormValue("args")
	if how.Queue != "" || text != "" {
		if err := q.may(RightEdit); err != nil {
			return err
		}
	}
	if text != "" {
		if how.Args, err = editedArgs(text); err != nil {
			return err
		}
	}
	p, err := h.failures.Requeue(q.Context(), how, id)
	if errors.Is(err, resque.ErrFailureRequeued) {
		return h.ask(q, question{
			Title: q.t("Retry this job again?"), Yes: q.t("Retry again"),
			Text: q.t("This job was retried before. If you retry it again, it runs once more."),
		})
	}
	h.report(q.Context(), q, "retry", id.String(), p.Done, err)
	if err != nil {
		return err
	}
	h.removals.add(q.access.User, "retry", id)
	h.forget()
	if q.isXHR() { // Ruby's script shows the time in place of the buttons
		q.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		send(q, http.StatusOK, []byte(time.Now().UTC().Format("2006/01/02 15:04:05 MST")))
		return nil
	}
	h.trim(q.Context(), p.Trash)
	return q.back("failed", flash{Text: q.t("Retried 1 job."), Trash: p.Trash}, map[string]any{"done": p.Done, "trash": p.Trash})
}

// byPost returns the id of the failure that a POST names. A position alone names
// another failure as soon as an earlier one is removed. So byPost then asks about the
// failure at that position, and the answer contains the digest.
func (h *Dashboard) byPost(q *request, ask func(*request) error) (id resque.FailureID, done bool, err error) {
	if _, err = strconv.ParseInt(q.params["id"], 10, 64); err == nil && !q.isSure() {
		return id, true, ask(q)
	}
	if err != nil {
		id, err = h.parseID(cmp.Or(q.params["queue"], resque.FailedList), q.params["id"])
		return id, false, err
	}
	f, err := h.named(q, q.params["id"])
	return f.ID, false, err
}

// mayTo returns an error if the form sends jobs to another queue and the user has no
// right to do that.
func (q *request) mayTo() error {
	if q.PostFormValue("to") == "" {
		return nil
	}
	return q.may(RightEdit)
}

// editedArgs parses the arguments that a user edited.
func editedArgs(text string) ([]any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	var args []json.RawMessage
	if err := d.Decode(&args); err != nil || args == nil || d.More() {
		return nil, fail(problemForm, fmt.Errorf("arguments: %w", err))
	}
	edited := make([]any, len(args))
	for i, arg := range args {
		var tight bytes.Buffer
		if err := json.Compact(&tight, arg); err != nil {
			return nil, fail(problemForm, err)
		}
		edited[i] = json.RawMessage(tight.Bytes())
	}
	return edited, nil
}

// removeOne removes one failure.
//
// Ruby: Resque::Server's /failed/remove/:index.
func (h *Dashboard) removeOne(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	id, done, err := h.byPost(q, h.askRemove)
	if done || err != nil {
		return err
	}
	p, err := h.failures.Remove(q.Context(), h.keep(), id)
	h.report(q.Context(), q, "remove", id.String(), p.Done, err)
	if err != nil {
		return err
	}
	h.removals.add(q.access.User, "remove", id)
	h.forget()
	h.trim(q.Context(), p.Trash)
	return q.back("failed", flash{Text: q.t("Removed 1 failure."), Trash: p.Trash}, map[string]any{"done": p.Done, "trash": p.Trash})
}

func (h *Dashboard) keep() resque.RemoveOptions {
	return resque.RemoveOptions{Keep: max(h.cfg.KeepRemoved, 0)}
}

// requeueSelected and removeSelected act on the selected failures.
func (h *Dashboard) requeueSelected(q *request) error {
	return h.selected(q, "retry", func(ctx context.Context, ids []resque.FailureID) (resque.BulkProgress, error) {
		how := resque.RequeueOptions{Queue: strings.TrimSpace(q.PostFormValue("to")), Remove: q.PostFormValue("remove") != "", Keep: h.keep().Keep}
		return h.failures.Requeue(ctx, how, ids...)
	})
}

func (h *Dashboard) removeSelected(q *request) error {
	return h.selected(q, "remove", func(ctx context.Context, ids []resque.FailureID) (resque.BulkProgress, error) {
		return h.failures.Remove(ctx, h.keep(), ids...)
	})
}

func (h *Dashboard) selected(q *request, act string, do func(context.Context, []resque.FailureID) (resque.BulkProgress, error)) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	if err := q.mayTo(); err != nil {
		return err
	}
	texts := q.PostForm["ids"]
	if len(texts) == 0 || len(texts) > maxIDs {
		return fail(problemForm, fmt.Errorf("%d failures named", len(texts)))
	}
	ids := make([]resque.FailureID, len(texts))
	for i, text := range texts {
		var err error
		if ids[i], err = resque.ParseFailureID(text); err != nil {
			return fail(problemForm, err)
		}
	}
	if act == "remove" && len(ids) > 1 && !q.isSureOf(int64(len(ids))) {
		return h.ask(q, question{
			Title: q.tn("Remove 1 failure?|Remove %s failures?", int64(len(ids))), Yes: q.t("Remove"), Count: int64(len(ids)),
		})
	}
	p, err := do(q.Context(), ids)
	h.report(q.Context(), q, act, strings.Join(texts, " "), p.Done, err)
	if err != nil && p.Done == 0 && isAway(err) {
		return err
	}
	h.forget()
	if p.Done == int64(len(ids)) { // otherwise it is unknown which ones
		h.removals.add(q.access.User, act, ids...)
	}
	left := int64(len(ids)) - p.Done
	verb := q.t("Retried")
	if act == "remove" {
		verb = q.t("Removed")
	}
	f := flash{Text: verb + " " + q.tn("1 failure.|%s failures.", p.Done), Trash: p.Trash, Bad: p.Done == 0}
	if left > 0 {
		f.Text += " " + q.tn("1 was skipped: it was removed, damaged or already retried.|%s were skipped: they were removed, damaged or already retried.", left)
	}
	h.trim(q.Context(), p.Trash)
	return q.back("failed", f, map[string]any{"done": p.Done, "missing": left, "trash": p.Trash})
}

// requeueAll, clearFailed and clearRetried act on all failures that match the form's
// filter, in the background.
//
// Ruby: Resque::Server's /failed/requeue/all, which also retries failures that were
// retried before. Here only "again" does.
func (h *Dashboard) requeueAll(q *request) error {
	return h.all(q, "retry", func(filter resque.FailureFilter) (resque.FailureFilter, bulkAct) {
		again := q.FormValue("again") != ""
		if !again && filter.Requeued == resque.AnyRequeued {
			filter.Requeued = resque.NotRequeued
		}
		how := resque.RequeueOptions{Again: again, Remove: q.FormValue("remove") != "", Queue: strings.TrimSpace(q.PostFormValue("to")), Keep: h.keep().Keep}
		return filter, func(ctx context.Context, tell func(resque.BulkProgress)) (resque.BulkProgress, error) {
			return h.failures.RequeueAll(ctx, how, filter, tell)
		}
	})
}

func (h *Dashboard) clearFailed(q *request) error { return h.all(q, "clear", h.clearing) }

func (h *Dashboard) clearRetried(q *request) error {
	return h.all(q, "clear", func(filter resque.FailureFilter) (resque.FailureFilter, bulkAct) {
		filter.Requeued = resque.OnlyRequeued
		return h.clearing(filter)
	})
}

func (h *Dashboard) clearing(filter resque.FailureFilter) (resque.FailureFilter, bulkAct) {
	return filter, func(ctx context.Context, tell func(resque.BulkProgress)) (resque.BulkProgress, error) {
		return h.failures.RemoveAll(ctx, h.keep(), filter, tell)
	}
}

// all asks for confirmation with the exact number, then starts the operation.
func (h *Dashboard) all(q *request, name string, plan func(resque.FailureFilter) (resque.FailureFilter, bulkAct)) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	if err := q.mayTo(); err != nil {
		return err
	}
	if err := q.noEmptyFields("class", "queue", "exception", "q", "since", "after", "until", "retried"); err != nil {
		return err
	}
	form, filter, err := h.filterOf(q)
	if err != nil {
		return err
	}
	filter.All = true // without a filter, the path means all failures, as in Ruby
	filter, act := plan(filter)
	n, sure, err := q.isSureOfAll(func() (int64, error) { return h.failures.Count(q.Context(), filter) })
	if err != nil {
		return err
	}
	if !sure {
		title, yes := q.tn("Retry 1 failure?|Retry %s failures?", n), q.t("Retry")
		if name == "clear" {
			title, yes = q.tn("Remove 1 failure?|Remove %s failures?", n), q.t("Remove")
		}
		return h.ask(q, question{Title: title, Yes: yes, Count: n, Hidden: form.Hidden()})
	}
	return h.operate(q, name+" all", filter.List, failedPath(filter.List), act)
}

// noEmptyFields returns an error if the request has one of these fields of a filter with
// an empty value. A script whose variable is not set must not act on everything.
func (q *request) noEmptyFields(names ...string) error {
	for _, name := range names {
		if values := q.Form[name]; len(values) > 0 && slices.Contains(values, "") {
			return &problem{code: problemForm, advice: q.t("The field %s is empty. Leave it out to act on all.", name)}
		}
	}
	return nil
}

// operate starts an operation. It answers with the result if the operation finishes
// quickly, otherwise with the operation's page.
func (h *Dashboard) operate(q *request, name, target, path string, act bulkAct) error {
	o, err := h.operations.begin(name, q.access.User, act, func(p resque.BulkProgress, err error) {
		h.forget()
		h.report(context.WithoutCancel(q.Context()), q, name, target, p.Done, err)
		h.trim(context.WithoutCancel(q.Context()), p.Trash)
	})
	if err != nil {
		return fail(problemBusy, err)
	}
	o.settled(h.budgets.action) // most finish before a page could be shown
	p, over, err := o.state()
	if over && err != nil {
		return err
	}
	if over {
		said := q.tn("Retried 1 failure.|Retried %s failures.", p.Done)
		switch name {
		case "clear all":
			said = q.tn("Removed 1 failure.|Removed %s failures.", p.Done)
		case "remove jobs":
			said = q.tn("Removed 1 job.|Removed %s jobs.", p.Done)
		case "move jobs":
			said = q.tn("Moved 1 job.|Moved %s jobs.", p.Done)
		case "run delayed", "run retry":
			said = q.tn(h.running(h.delayedJobsPage()).did, p.Done)
		case "cancel delayed", "cancel retry":
			said = q.tn(h.canceling(h.delayedJobsPage()).did, p.Done)
		case "give up":
			said = q.tn(h.givingUp().did, p.Done)
		}
		return q.back(path, flash{Text: said, Trash: p.Trash}, map[string]any{"done": p.Done, "trash": p.Trash})
	}
	q.PostForm.Set("back", "ops/"+o.id)
	q.Form.Set("back", "ops/"+o.id)
	return q.back("ops/"+o.id, flash{Operation: true}, map[string]any{"operation": "ops/" + o.id})
}
