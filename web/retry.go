package web

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/goresque/goresque/resque"
)

// retryPage is the content of the list of jobs that wait for another attempt.
type retryPage struct {
	waitingList
	Jobs []retryRow
}

// retryRow is a job that waits for another attempt as pages show it.
type retryRow struct {
	delayedRow
	Attempt   int64 // that failed last; 0 if its counter is not a number
	Limit     int64 // of attempts; 0 if it is not known, -1 without a limit
	Exception string
	Error     string
	FailedAt  time.Time // zero if the last error is not known
	Backtrace []string
}

// Ruby: ResqueRetry::Server's /retry.
func (h *Dashboard) retry(q *request) error { return h.retryList(q, nil) }

// retrySecond serves the jobs of one second.
//
// Ruby: ResqueRetry::Server's /retry/:timestamp.
func (h *Dashboard) retrySecond(q *request) error {
	q.json = q.json || strings.HasSuffix(q.path, ".json")
	if _, ok := parseSecond(q.params["ts"]); !ok {
		return fail(problemNoPage, nil)
	}
	return h.retryList(q, url.Values{"at": {q.params["ts"]}})
}

// retries returns the jobs that wait for another attempt.
func (h *Dashboard) retries() *resque.Retries { return h.client.Retries(h.cfg.Prune.Handler) }

// retryList serves the jobs that match the filter of the address, the next one first.
func (h *Dashboard) retryList(q *request, fixed url.Values) error {
	form, filter, err := h.delayedFilter(q, fixed)
	if err != nil {
		return err
	}
	content := retryPage{waitingList: newWaitingList(form, filter)}
	if err = h.fillRetries(q, &content, filter); err != nil {
		if fault, _ := resque.Explain(err); fault.Code != resque.FaultType {
			return err
		}
		content.Damage = err.Error() // the page says so
	}
	for _, job := range content.Jobs {
		content.suggest(job.delayedRow)
	}
	return h.show(q, "retry", q.t("Retry"), "retry", content)
}

func (h *Dashboard) fillRetries(q *request, content *retryPage, filter resque.DelayedFilter) (err error) {
	if content.Scheduler, err = h.schedulerRow(q.Context()); err != nil {
		return err
	}
	from, err := h.delayedFrom(q, h.client.Delayed(), content.At)
	if err != nil {
		return err
	}
	content.First, content.Start = from == resque.DelayedPlace{}, content.Filter.address("retry")
	part, err := h.retries().Search(q.Context(), filter, from, int(h.rows(q)), h.budgets.scan)
	if fault, _ := resque.Explain(err); err != nil && fault.Code != resque.FaultType {
		return err
	}
	content.Jobs = h.retryRows(part.Jobs)
	content.conclude(q, part.Checked, len(part.Jobs), part.More, part.Next)
	return err
}

func (h *Dashboard) retryRows(found []resque.RetryingJob) []retryRow {
	jobs := make([]resque.DelayedJob, len(found))
	for i, job := range found {
		jobs[i] = job.DelayedJob
	}
	rows := make([]retryRow, len(found))
	for i, row := range h.delayedRows(jobs) {
		last := found[i].Failure
		rows[i] = retryRow{
			delayedRow: row, Attempt: found[i].Attempt, Limit: found[i].Limit,
			Exception: last.Exception, Error: last.Error, FailedAt: shownTime(last.FailedAt), Backtrace: last.Backtrace,
		}
	}
	return rows
}

func (h *Dashboard) retriesPage() waitingPage {
	return waitingPage{
		"retry", h.retries(), english("These are all jobs that wait for another attempt."),
		english("These are the jobs that wait for another attempt and match the filter."),
	}
}

// givingUp records jobs that wait for another attempt as failed ones.
func (h *Dashboard) givingUp() delayedAct {
	r, how := h.retries(), resque.GiveUpOptions{FailureLists: h.cfg.Prune.FailureLists}
	return delayedAct{
		waitingPage: h.retriesPage(),
		name:        "give up", yes: english("Give up"),
		one: english("Give up this job?"), many: english("Give up 1 job?|Give up %s jobs?"), did: english("Recorded 1 job as failed.|Recorded %s jobs as failed."),
		selected: func(ctx context.Context, ids []resque.DelayedID) (resque.BulkProgress, error) {
			return r.GiveUp(ctx, how, ids...)
		},
		inMatching: func(filter resque.DelayedFilter) bulkAct {
			return func(ctx context.Context, tell func(resque.BulkProgress)) (resque.BulkProgress, error) {
				return r.GiveUpAll(ctx, how, filter, tell)
			}
		},
	}
}

func (h *Dashboard) runningRetries() delayedAct   { return h.running(h.retriesPage()) }
func (h *Dashboard) cancelingRetries() delayedAct { return h.canceling(h.retriesPage()) }

// These act on the selected jobs.
func (h *Dashboard) runRetries(q *request) error { return h.actOnRetries(q, h.runningRetries()) }

func (h *Dashboard) cancelRetries(q *request) error { return h.actOnRetries(q, h.cancelingRetries()) }
func (h *Dashboard) giveUpRetries(q *request) error { return h.actOnRetries(q, h.givingUp()) }

func (h *Dashboard) actOnRetries(q *request, act delayedAct) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	return h.actOnDelayed(q, act, q.PostForm["ids"])
}

// These act on the job that the path names.
func (h *Dashboard) runOneRetry(q *request) error    { return h.actOnOne(q, h.runningRetries()) }
func (h *Dashboard) cancelOneRetry(q *request) error { return h.actOnOne(q, h.cancelingRetries()) }
func (h *Dashboard) giveUpOneRetry(q *request) error { return h.actOnOne(q, h.givingUp()) }

// These act on all jobs that match the form's filter, in the background.
func (h *Dashboard) runAllRetries(q *request) error { return h.allDelayed(q, h.runningRetries(), nil) }

func (h *Dashboard) clearRetries(q *request) error {
	return h.allDelayed(q, h.cancelingRetries(), nil)
}
func (h *Dashboard) giveUpAllRetries(q *request) error { return h.allDelayed(q, h.givingUp(), nil) }

// removeRetrySecond cancels all jobs of a second that wait for another attempt.
//
// Ruby: ResqueRetry::Server's /retry/:timestamp/remove.
func (h *Dashboard) removeRetrySecond(q *request) error {
	if _, ok := parseSecond(q.params["ts"]); !ok {
		return fail(problemNoPage, nil)
	}
	return h.allDelayed(q, h.cancelingRetries(), url.Values{"at": {q.params["ts"]}})
}

// removeRetry cancels a job that waits for another attempt. The id is that of a delayed
// job or, in a form of Ruby's front end, the job as JSON: then all equal jobs are
// canceled, as in Ruby.
//
// Ruby: ResqueRetry::Server's /retry/:timestamp/jobs/:id/remove.
func (h *Dashboard) removeRetry(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	text := q.params["id"]
	if _, err := resque.ParseDelayedID(text); err == nil {
		return h.actOnDelayed(q, h.cancelingRetries(), []string{text})
	}
	var job struct {
		Class string          `json:"class"`
		Args  json.RawMessage `json:"args"`
	}
	if err := json.Unmarshal([]byte(text), &job); err != nil || job.Class == "" || job.Args == nil {
		return fail(problemForm, err)
	}
	args, err := editedArgs(string(job.Args))
	if err != nil {
		return err
	}
	p, err := h.retries().RemoveAll(q.Context(), h.keep(), resque.DelayedFilter{Class: job.Class, Args: args}, nil)
	return h.tookDelayed(q, h.cancelingRetries(), q.params["ts"]+" "+job.Class, 0, p, err)
}
