package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// problemCode is a kind of problem. JSON answers contain it, so that programs can
// distinguish problems.
type problemCode string

// The kinds of problems. describe returns the status and text of each.
const (
	problemHost        problemCode = "host-not-served"
	problemSignIn      problemCode = "sign-in-needed"
	problemSignIns     problemCode = "too-many-failed-sign-ins"
	problemNoAccess    problemCode = "no-access"
	problemReadOnly    problemCode = "read-only"
	problemRight       problemCode = "right-missing"
	problemOrigin      problemCode = "other-origin"
	problemNoPage      problemCode = "no-such-page"
	problemMethod      problemCode = "method-not-allowed"
	problemForm        problemCode = "invalid-form"
	problemTooLarge    problemCode = "form-too-large"
	problemConfirm     problemCode = "confirmation-needed"
	problemChanged     problemCode = "changed-meanwhile"
	problemNotPruned   problemCode = "not-pruned"
	problemAlive       problemCode = "worker-alive"
	problemNotRunning  problemCode = "not-running"
	problemNoOrders    problemCode = "takes-no-orders"
	problemDamaged     problemCode = "record-damaged"
	problemGone        problemCode = "gone"
	problemNoWorker    problemCode = "no-such-worker"
	problemNoKey       problemCode = "no-such-key"
	problemNoSchedule  problemCode = "no-such-schedule"
	problemNoBatch     problemCode = "no-such-batch"
	problemNoStatus    problemCode = "no-such-status"
	problemNoLock      problemCode = "no-such-lock"
	problemBusy        problemCode = "operation-running"
	problemNoOperation problemCode = "no-such-operation"
	problemNoStream    problemCode = "no-stream"
	problemRedis       problemCode = "redis-unavailable"
	problemRefused     problemCode = "redis-refused"
	problemType        problemCode = "wrong-type"
	problemInternal    problemCode = "internal"
)

// description is the answer to a problem: the status, what is wrong, and what to do.
type description struct {
	status        int
	title, advice string
}

func (c problemCode) describe() description {
	switch c {
	case problemHost:
		return description{http.StatusMisdirectedRequest, english("This host name is not served"), english("The dashboard serves only the host names in its AllowedHosts setting. Ask its administrator to add this one.")}
	case problemSignIn:
		return description{http.StatusUnauthorized, english("Please sign in"), english("This dashboard needs a user name and a password.")}
	case problemSignIns:
		return description{http.StatusTooManyRequests, english("Too many failed sign-ins"), english("Wait a few seconds and try again.")}
	case problemNoAccess:
		return description{http.StatusForbidden, english("You do not have access"), english("Ask the administrator of this dashboard for access.")}
	case problemReadOnly:
		return description{http.StatusForbidden, english("You have read-only access"), english("Nothing was changed. Ask the administrator of this dashboard for more rights.")}
	case problemRight:
		return description{http.StatusForbidden, english("You may not do this"), english("Your account does not have the right that this action needs. Ask the administrator of this dashboard for more rights.")}
	case problemOrigin:
		return description{http.StatusForbidden, english("The request came from another site"), english("Only the dashboard's own pages may change something. Open the dashboard and try again there.")}
	case problemNoPage:
		return description{http.StatusNotFound, english("This page does not exist"), english("The address may be old or mistyped.")}
	case problemMethod:
		return description{http.StatusMethodNotAllowed, english("This address does not accept that method"), english("Use the buttons of the dashboard. Programs find the methods in /openapi.json.")}
	case problemForm:
		return description{http.StatusBadRequest, english("The form is incomplete or invalid"), english("A value is missing or cannot be read. Go back, correct it, and try again.")}
	case problemTooLarge:
		return description{http.StatusRequestEntityTooLarge, english("The form is too large"), english("A form can have at most 1 MB. Nothing was changed.")}
	case problemConfirm:
		return description{http.StatusBadRequest, english("Confirmation required"), english("Send the request again with sure=1. For more than 100 entries, also send their number as count and typed.")}
	case problemChanged:
		return description{http.StatusConflict, english("It has changed since the page was loaded"), english("Nothing was changed. Go back, reload the page, and try again.")}
	case problemNotPruned:
		return description{http.StatusConflict, english("The worker was not pruned"), english("It no longer exists. It was pruned already. Reload the list of workers.")}
	case problemAlive:
		return description{http.StatusConflict, english("The worker is alive"), english("Its heartbeat is new, its process is connected to Redis, or it sends no heartbeats. To prune it anyway, run goresque remove --force.")}
	case problemNotRunning:
		return description{http.StatusConflict, english("The worker no longer performs this job"), english("The job has ended, or the worker cannot be told to stop it: only Go workers can.")}
	case problemNoOrders:
		return description{http.StatusConflict, english("The worker does not accept commands"), english("Only Go workers that were started with --remote-control accept commands. It may also have ended.")}
	case problemDamaged:
		return description{http.StatusUnprocessableEntity, english("The record is damaged"), english("It does not contain a job that can be performed. You can view it and remove it.")}
	case problemGone:
		return description{http.StatusGone, english("This no longer exists"), english("It was retried, removed or cleared in the meantime.")}
	case problemNoWorker:
		return description{http.StatusNotFound, english("This worker or host is not registered"), english("It has stopped or was pruned.")}
	case problemNoKey:
		return description{http.StatusNotFound, english("This key does not exist"), english("It was deleted or has expired, or the address is mistyped.")}
	case problemNoSchedule:
		return description{http.StatusNotFound, english("This schedule does not exist"), english("It was deleted, or the scheduler whose program has it is not running.")}
	case problemNoBatch:
		return description{http.StatusNotFound, english("This batch does not exist"), english("It has expired, or the address is mistyped.")}
	case problemNoLock:
		return description{http.StatusNotFound, english("This lock does not exist"), english("It was released or has expired.")}
	case problemNoStatus:
		return description{http.StatusNotFound, english("This status does not exist"), english("It has expired or was removed, or the address is mistyped.")}
	case problemBusy:
		return description{http.StatusConflict, english("Another operation is running"), english("Only one operation on many failures or jobs can run at a time. Try again when it has finished.")}
	case problemNoOperation:
		return description{http.StatusGone, english("This operation is unknown"), english("The dashboard was restarted, or another instance of it runs the operation. What was done stays done. Start the operation again to do the rest.")}
	case problemNoStream:
		return description{http.StatusServiceUnavailable, english("There is no stream of changes now"), english("Too many pages listen, or the dashboard is stopping. Pages fetch their content at intervals instead.")}
	case problemRedis:
		return description{http.StatusServiceUnavailable, english("Redis does not answer"), english("Jobs and workers cannot be shown. This page retries by itself.")}
	case problemRefused:
		return description{http.StatusInternalServerError, english("Redis refused a command"), english("The dashboard's log has the error from Redis.")}
	case problemType:
		return description{http.StatusConflict, english("A key in Redis has another type"), english("Another program has written to it.")}
	case problemInternal:
		return description{http.StatusInternalServerError, english("Internal error"), english("The dashboard's log has the details.")}
	}
	return problemInternal.describe()
}

// problem is the error for a request that cannot be answered as intended.
type problem struct {
	code   problemCode
	cause  error  // logged, not shown
	title  string // replaces the code's title if not empty
	advice string // replaces the code's advice if not empty
}

func (p *problem) Error() string {
	if p.cause != nil {
		return string(p.code) + ": " + p.cause.Error()
	}
	return string(p.code)
}

func (p *problem) Unwrap() error { return p.cause }

func (p *problem) status() int { return p.code.describe().status }

func fail(code problemCode, cause error) error { return &problem{code: code, cause: cause} }

// isProblem reports whether err is a problem of that kind.
func isProblem(err error, code problemCode) bool {
	var p *problem
	return errors.As(err, &p) && p.code == code
}

// problemOf returns the problem for an error.
func problemOf(err error) *problem {
	var p *problem
	var tooLarge *http.MaxBytesError
	code := problemInternal
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &tooLarge):
		code = problemTooLarge
	case errors.Is(err, resque.ErrFailureChanged), errors.Is(err, resque.ErrDelayedChanged), errors.Is(err, resque.ErrNotRetrying):
		code = problemChanged
	case errors.Is(err, resque.ErrFailureDamaged), errors.Is(err, resque.ErrDelayedDamaged):
		code = problemDamaged
	case errors.Is(err, resque.ErrNoFailureList), errors.Is(err, resque.ErrFailureID), errors.Is(err, resque.ErrDelayedID):
		code = problemNoPage
	case errors.Is(err, scheduler.ErrNoSchedule):
		code = problemNoSchedule
	case errors.Is(err, resque.ErrNoTrash):
		code = problemGone
	default:
		if fault, ok := resque.Explain(err); ok {
			return redisProblem(fault, err)
		}
	}
	return &problem{code: code, cause: err}
}

// redisProblem returns the problem for a Redis error. The status is 503 if waiting
// can help.
func redisProblem(fault resque.Fault, err error) *problem {
	if fault.Code == resque.FaultType {
		return &problem{code: problemType, cause: err, advice: fault.Advice + " " + err.Error() + "."}
	}
	p := &problem{code: problemRefused, cause: err, title: fault.Cause, advice: fault.Advice}
	if fault.Temporary {
		p.code, p.advice = problemRedis, p.advice+" "+english("This page retries by itself.")
	}
	return p
}

// refuse answers with an error page, or with the problem as JSON.
func (h *Dashboard) refuse(q *request, err error) {
	if errors.Is(err, context.Canceled) && q.Context().Err() != nil {
		return // the client is gone
	}
	p := problemOf(err)
	d := p.code.describe()
	if d.status >= http.StatusInternalServerError && p.code != problemNoStream { // of which a page may try many
		h.cfg.Logger.Error("dashboard page failed", "path", q.path, "code", string(p.code), "err", err)
	}
	d.title, d.advice = q.t(cmp.Or(p.title, d.title)), q.t(cmp.Or(p.advice, d.advice))
	if q.wantsJSON() {
		q.w.Header().Set("Content-Type", "application/problem+json")
		q.w.WriteHeader(d.status)
		_ = json.NewEncoder(q.w).Encode(map[string]any{ // the client may be gone
			"code": p.code, "title": d.title, "detail": d.advice, "status": d.status,
		})
		return
	}
	h.write(q, d.status, "message", view{
		page:    h.page(q, d.title, ""),
		Content: message{Title: d.title, Advice: d.advice, Retry: d.status == http.StatusServiceUnavailable},
	})
}

// message is the content of an error page.
type message struct {
	Title, Advice string
	Retry         bool
}
