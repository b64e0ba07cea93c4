package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/goresque/goresque/resque"
)

// problemCode names a kind of problem. It stands in the JSON of an answer, so that
// programs can tell problems apart.
type problemCode string

// The kinds of problems. Each has its status and its text in describe.
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
	problemDamaged     problemCode = "record-damaged"
	problemGone        problemCode = "gone"
	problemNoWorker    problemCode = "no-such-worker"
	problemNoKey       problemCode = "no-such-key"
	problemBusy        problemCode = "operation-running"
	problemNoOperation problemCode = "no-such-operation"
	problemRedis       problemCode = "redis-unavailable"
	problemRefused     problemCode = "redis-refused"
	problemInternal    problemCode = "internal"
)

// description is what an answer says of a problem: the status, what is wrong, and
// what to do.
type description struct {
	status        int
	title, advice string
}

func (c problemCode) describe() description {
	switch c {
	case problemHost:
		return description{http.StatusMisdirectedRequest, t("This address is not served"), t("The dashboard answers only the host names in its AllowedHosts. Ask its administrator to add this one.")}
	case problemSignIn:
		return description{http.StatusUnauthorized, t("Please sign in"), t("A name and a password are needed.")}
	case problemSignIns:
		return description{http.StatusTooManyRequests, t("Too many failed sign-ins"), t("Wait a few seconds and try again.")}
	case problemNoAccess:
		return description{http.StatusForbidden, t("You may not see this"), t("Ask the administrator of this dashboard for access.")}
	case problemReadOnly:
		return description{http.StatusForbidden, t("You may look, but not change anything"), t("Ask the administrator of this dashboard for more rights.")}
	case problemRight:
		return description{http.StatusForbidden, t("You may not do that"), t("You may change some things here, but not this. Ask the administrator of this dashboard for more rights.")}
	case problemOrigin:
		return description{http.StatusForbidden, t("This came from another site"), t("Only forms of the dashboard itself may change something. Go back and try it there.")}
	case problemNoPage:
		return description{http.StatusNotFound, t("There is no such page"), t("The address may be old or mistyped.")}
	case problemMethod:
		return description{http.StatusMethodNotAllowed, t("This address does not take that method"), t("Use the buttons of the dashboard; /openapi.json lists the methods.")}
	case problemForm:
		return description{http.StatusBadRequest, t("Something is missing or cannot be read"), t("Go back, correct it, and try again.")}
	case problemTooLarge:
		return description{http.StatusRequestEntityTooLarge, t("The form is too large"), t("A form may have 1 MB. Nothing was done.")}
	case problemConfirm:
		return description{http.StatusBadRequest, t("This needs a confirmation"), t("Send sure=1, and count and typed above 100 entries.")}
	case problemChanged:
		return description{http.StatusConflict, t("It was changed meanwhile"), t("Nothing was done. Go back and look again.")}
	case problemNotPruned:
		return description{http.StatusConflict, t("The worker was not pruned"), t("It is alive, or it was pruned before. Look at the list of workers again.")}
	case problemDamaged:
		return description{http.StatusUnprocessableEntity, t("The record is damaged"), t("There is no job in it that could be retried. It can be looked at and removed.")}
	case problemGone:
		return description{http.StatusGone, t("It is not there any more"), t("It was retried, removed or cleared meanwhile.")}
	case problemNoWorker:
		return description{http.StatusNotFound, t("There is no such worker or host"), t("It has stopped or was pruned; its heartbeat and registration are not there any more.")}
	case problemNoKey:
		return description{http.StatusNotFound, t("There is no such key"), t("It is not there any more, or never was.")}
	case problemBusy:
		return description{http.StatusConflict, t("Another operation is running"), t("One operation on many failures or jobs runs at a time. Try again when it has finished.")}
	case problemNoOperation:
		return description{http.StatusGone, t("Nothing is known of this operation"), t("The dashboard was restarted since, or another instance runs it. What was done stays done; start it again for the rest.")}
	case problemRedis:
		return description{http.StatusServiceUnavailable, t("Redis does not answer"), t("Jobs and workers cannot be shown. This page tries again by itself.")}
	case problemRefused:
		return description{http.StatusInternalServerError, t("Redis refused what this page needs"), t("The log of the dashboard has its answer.")}
	case problemInternal:
		return description{http.StatusInternalServerError, t("This page failed"), t("The dashboard has a fault here; its log has the details.")}
	}
	return problemInternal.describe()
}

// problem is why a request is not answered as it was meant.
type problem struct {
	code   problemCode
	cause  error  // for the log alone
	title  string // of this one; empty for that of the code
	advice string // the same
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

// problemOf finds the problem that an error is.
func problemOf(err error) *problem {
	var p *problem
	var tooLarge *http.MaxBytesError
	code := problemInternal
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &tooLarge):
		code = problemTooLarge
	case errors.Is(err, resque.ErrFailureChanged):
		code = problemChanged
	case errors.Is(err, resque.ErrFailureDamaged):
		code = problemDamaged
	case errors.Is(err, resque.ErrNoFailureList), errors.Is(err, resque.ErrFailureID):
		code = problemNoPage
	case errors.Is(err, resque.ErrNoTrash):
		code = problemGone
	default:
		if fault, ok := resque.Explain(err); ok {
			return redisProblem(fault, err)
		}
	}
	return &problem{code: code, cause: err}
}

// redisProblem is what keeps Redis from doing what a page needs: 503 if waiting can
// help.
func redisProblem(fault resque.Fault, err error) *problem {
	p := &problem{code: problemRefused, cause: err, title: fault.Cause, advice: fault.Advice}
	if fault.Temporary {
		p.code, p.advice = problemRedis, p.advice+" "+t("This page tries again by itself.")
	}
	return p
}

// refuse answers with a problem, as a page or as JSON.
func (h *Dashboard) refuse(q *request, err error) {
	if errors.Is(err, context.Canceled) && q.Context().Err() != nil {
		return // the reader is gone
	}
	p := problemOf(err)
	d := p.code.describe()
	if d.status >= http.StatusInternalServerError {
		h.cfg.Logger.Error("dashboard page failed", "path", q.path, "code", string(p.code), "err", err)
	}
	d.title, d.advice = cmp.Or(p.title, d.title), cmp.Or(p.advice, d.advice)
	if q.wantsJSON() {
		q.w.Header().Set("Content-Type", "application/problem+json")
		q.w.WriteHeader(d.status)
		_ = json.NewEncoder(q.w).Encode(map[string]any{ // the client may be gone
			"code": p.code, "title": d.title, "detail": d.advice, "status": d.status,
		})
		return
	}
	h.pages.write(q, d.status, "message", view{
		page:    h.page(q, d.title, ""),
		Content: message{Title: d.title, Advice: d.advice, Retry: d.status == http.StatusServiceUnavailable},
	})
}

// message is a page that only says something.
type message struct {
	Title, Advice string
	Retry         bool
}
