package web

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/goresque/goresque/resque"
)

// waitingJobs are delayed jobs, or those of them that wait for another attempt.
type waitingJobs interface {
	Count(ctx context.Context, filter resque.DelayedFilter) (int64, error)
	Run(ctx context.Context, ids ...resque.DelayedID) (resque.BulkProgress, error)
	RunAll(ctx context.Context, filter resque.DelayedFilter, progress func(resque.BulkProgress)) (resque.BulkProgress, error)
	Remove(ctx context.Context, how resque.RemoveOptions, ids ...resque.DelayedID) (resque.BulkProgress, error)
	RemoveAll(ctx context.Context, how resque.RemoveOptions, filter resque.DelayedFilter, progress func(resque.BulkProgress)) (resque.BulkProgress, error)
}

// waitingPage is the page of waiting jobs on which a user acts.
type waitingPage struct {
	path          string
	jobs          waitingJobs
	all, matching string // what the actions on all jobs are about
}

func (h *Dashboard) delayedJobsPage() waitingPage {
	return waitingPage{"delayed", h.client.Delayed(), english("These are all delayed jobs."), english("These are the delayed jobs that match the filter.")}
}

// delayedAct is what an action does to delayed jobs.
type delayedAct struct {
	waitingPage
	name       string // for OnAction
	one, many  string // the question
	yes, did   string
	runs       bool // otherwise the jobs are canceled
	selected   func(context.Context, []resque.DelayedID) (resque.BulkProgress, error)
	inMatching func(resque.DelayedFilter) bulkAct
}

// running takes the jobs of a page to their queues now.
func (h *Dashboard) running(on waitingPage) delayedAct {
	d := on.jobs
	return delayedAct{
		waitingPage: on,
		name:        "run " + on.path, runs: true, yes: english("Run now"),
		one: english("Run this job now?"), many: english("Run 1 job now?|Run %s jobs now?"), did: english("Moved 1 job to its queue.|Moved %s jobs to their queues."),
		selected: func(ctx context.Context, ids []resque.DelayedID) (resque.BulkProgress, error) {
			return d.Run(ctx, ids...)
		},
		inMatching: func(filter resque.DelayedFilter) bulkAct {
			return func(ctx context.Context, tell func(resque.BulkProgress)) (resque.BulkProgress, error) {
				return d.RunAll(ctx, filter, tell)
			}
		},
	}
}

// canceling removes the jobs of a page. They can be restored.
func (h *Dashboard) canceling(on waitingPage) delayedAct {
	d := on.jobs
	return delayedAct{
		waitingPage: on,
		name:        "cancel " + on.path, yes: english("Cancel the jobs"),
		one: english("Cancel this job?"), many: english("Cancel 1 job?|Cancel %s jobs?"), did: english("Canceled 1 job.|Canceled %s jobs."),
		selected: func(ctx context.Context, ids []resque.DelayedID) (resque.BulkProgress, error) {
			return d.Remove(ctx, h.keep(), ids...)
		},
		inMatching: func(filter resque.DelayedFilter) bulkAct {
			return func(ctx context.Context, tell func(resque.BulkProgress)) (resque.BulkProgress, error) {
				return d.RemoveAll(ctx, h.keep(), filter, tell)
			}
		},
	}
}

// runDelayed runs the selected jobs now. A form of Ruby's front end names a second
// instead, for its first job.
//
// Ruby: Resque::Scheduler::Server's /delayed/queue_now.
func (h *Dashboard) runDelayed(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	if text := q.PostFormValue("timestamp"); text != "" && len(q.PostForm["ids"]) == 0 {
		return h.askFirst(q, text)
	}
	return h.actOnDelayed(q, h.running(h.delayedJobsPage()), q.PostForm["ids"])
}

// askFirst asks about the first job of a second. Another job may be the first one when
// the user answers, so the question has its id.
func (h *Dashboard) askFirst(q *request, text string) error {
	second, ok := parseSecond(text)
	if !ok {
		return fail(problemForm, nil)
	}
	jobs, err := h.client.Delayed().Page(q.Context(), time.Unix(second, 0), 0, 1)
	if err != nil {
		return err
	}
	if len(jobs) == 0 {
		return fail(problemGone, nil)
	}
	row := h.delayedRow(jobs[0])
	return h.ask(q, question{
		Title: q.t("Run this job now?"), Yes: q.t("Run now"), Hidden: map[string]string{"ids": row.ID},
		Sample: []string{row.Job.Class + " " + cut(200, row.Job.Line())},
	})
}

// runOneDelayed and cancelOneDelayed act on the job that the path names.
func (h *Dashboard) runOneDelayed(q *request) error {
	return h.actOnOne(q, h.running(h.delayedJobsPage()))
}

func (h *Dashboard) cancelOneDelayed(q *request) error {
	return h.actOnOne(q, h.canceling(h.delayedJobsPage()))
}

func (h *Dashboard) actOnOne(q *request, act delayedAct) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	return h.actOnDelayed(q, act, []string{q.params["id"]})
}

// cancelDelayed cancels the selected jobs. A form of Ruby's front end names a second, a
// class and arguments instead, for all equal jobs of the second.
//
// Ruby: Resque::Scheduler::Server's /delayed/cancel_now.
func (h *Dashboard) cancelDelayed(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	text, class, args := q.PostFormValue("timestamp"), q.PostFormValue("klass"), q.PostFormValue("args")
	if len(q.PostForm["ids"]) > 0 || text == "" {
		return h.actOnDelayed(q, h.canceling(h.delayedJobsPage()), q.PostForm["ids"])
	}
	second, ok := parseSecond(text)
	if !ok || class == "" || args == "" {
		return fail(problemForm, nil)
	}
	list, err := editedArgs(args)
	if err != nil {
		return err
	}
	p, err := h.client.Delayed().RemoveAll(q.Context(), h.keep(), resque.DelayedFilter{
		Class: class, Args: list, Since: time.Unix(second, 0), Until: time.Unix(second+1, 0),
	}, nil)
	return h.tookDelayed(q, h.canceling(h.delayedJobsPage()), text+" "+class, 0, p, err)
}

// actOnDelayed acts on the jobs with the given ids.
func (h *Dashboard) actOnDelayed(q *request, act delayedAct, texts []string) error {
	if len(texts) == 0 || len(texts) > maxIDs {
		return fail(problemForm, fmt.Errorf("%d delayed jobs named", len(texts)))
	}
	ids := make([]resque.DelayedID, len(texts))
	for i, text := range texts {
		var err error
		if ids[i], err = resque.ParseDelayedID(text); err != nil {
			return fail(problemForm, err)
		}
	}
	if !act.runs && len(ids) > 1 && !q.isSureOf(int64(len(ids))) {
		return h.ask(q, question{Title: q.tn(act.many, int64(len(ids))), Yes: q.t(act.yes), Count: int64(len(ids))})
	}
	p, err := act.selected(q.Context(), ids)
	return h.tookDelayed(q, act, strings.Join(texts, " "), int64(len(ids)), p, err)
}

// tookDelayed answers an action on asked jobs.
func (h *Dashboard) tookDelayed(q *request, act delayedAct, target string, asked int64, p resque.BulkProgress, err error) error {
	h.report(q.Context(), q, act.name, target, p.Done, err)
	skipped := errors.Is(err, resque.ErrDelayedChanged) || errors.Is(err, resque.ErrDelayedDamaged) || errors.Is(err, resque.ErrNotRetrying)
	if err != nil && (!skipped || isAway(err) || asked == 1) {
		return err
	}
	h.forget()
	h.trim(q.Context(), p.Trash)
	f := flash{Text: q.tn(act.did, p.Done), Trash: p.Trash, Bad: p.Done == 0}
	if p.Gone > 0 {
		f.Text += " " + q.tn("1 no longer existed.|%s no longer existed.", p.Gone)
	}
	if p.Refused > 0 {
		f.Text += " " + q.tn("1 is damaged and cannot be run.|%s are damaged and cannot be run.", p.Refused)
	}
	return q.back(act.path, f, map[string]any{"done": p.Done, "missing": p.Gone + p.Refused, "trash": p.Trash})
}

// runAllDelayed and clearDelayed act on all jobs that match the form's filter, in the
// background.
func (h *Dashboard) runAllDelayed(q *request) error {
	return h.allDelayed(q, h.running(h.delayedJobsPage()), nil)
}

// Ruby: Resque::Scheduler::Server's /delayed/clear.
func (h *Dashboard) clearDelayed(q *request) error {
	return h.allDelayed(q, h.canceling(h.delayedJobsPage()), nil)
}

func (h *Dashboard) allDelayed(q *request, act delayedAct, fixed url.Values) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	form, filter, err := h.delayedFilter(q, fixed)
	if err != nil {
		return err
	}
	filter.All = form.IsEmpty()
	n, sure, err := q.isSureOfAll(func() (int64, error) { return act.jobs.Count(q.Context(), filter) })
	if err != nil {
		return err
	}
	if !sure {
		ask := question{Title: q.tn(act.many, n), Yes: q.t(act.yes), Count: n, Hidden: form.Hidden()}
		switch {
		case filter.All:
			ask.Text = q.t(act.all)
		case form.Narrows():
			ask.Text = q.t(act.matching)
		}
		return h.ask(q, ask)
	}
	return h.operate(q, act.name, act.path, act.path, act.inMatching(filter))
}
