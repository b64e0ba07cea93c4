package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/goresque/goresque/resque"
)

// problem is why a request cannot be served as it was meant: a status and the
// name of what people are told. The cause is for the log alone.
type problem struct {
	status int
	told   string
	cause  error
	detail string // of this one, for people
}

func (p *problem) Error() string {
	if p.cause != nil {
		return p.told + ": " + p.cause.Error()
	}
	return p.told
}

func (p *problem) Unwrap() error { return p.cause }

func fail(status int, told string, cause error) error {
	return &problem{status: status, told: told, cause: cause}
}

// told is what people read of each problem: what is wrong, and what to do.
func told(name string) (title, advice string) {
	switch name {
	case "host":
		return t("This address is not served"), t("The dashboard answers only the host names it was given. Ask whoever runs it to add this one.")
	case "who":
		return t("Please sign in"), t("A name and a password are needed.")
	case "denied":
		return t("You may not see this"), t("Ask whoever runs this dashboard for access.")
	case "right":
		return t("You may look, but not change anything"), t("Ask whoever runs this dashboard for more.")
	case "this":
		return t("You may not do that"), t("You may change some things here, but not this. Ask whoever runs this dashboard for more.")
	case "origin":
		return t("This came from another site"), t("For safety only forms of the dashboard itself may change something. Go back and try it there.")
	case "method":
		return t("That does not work this way"), t("Use the buttons of the dashboard.")
	case "changed":
		return t("It was changed meanwhile"), t("Somebody else was faster. Nothing was done; go back and look again.")
	case "damaged":
		return t("The record is damaged"), t("There is no job in it that could be retried. It can be looked at and removed.")
	case "gone":
		return t("It is not there any more"), t("It was retried, removed or cleared meanwhile.")
	case "form":
		return t("Something is missing or cannot be read"), t("Go back, correct it, and try again.")
	case "sure":
		return t("This needs a second word"), t("Send sure=1, and count and typed where there are many.")
	case "busy":
		return t("Something else is at work"), t("One operation on many failures runs at a time. Look again when it is done.")
	case "over":
		return t("Nothing is known of this operation"), t("The dashboard was restarted since, or another instance runs it. What was done stays done; beginning it again goes on with the rest.")
	case "redis":
		return t("Redis does not answer"), t("Jobs and workers cannot be shown. This page tries again by itself.")
	case "missing":
		return t("There is no such page"), t("The address may be old or mistyped.")
	}
	return t("Something went wrong"), t("The log says what. Try again in a moment.")
}

// problemOf turns an error into what is told of it.
func problemOf(err error) *problem {
	var p *problem
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &tooLarge):
		return &problem{status: http.StatusRequestEntityTooLarge, told: "form", cause: err}
	case errors.Is(err, resque.ErrFailureChanged):
		return &problem{status: http.StatusConflict, told: "changed", cause: err}
	case errors.Is(err, resque.ErrFailureDamaged):
		return &problem{status: http.StatusUnprocessableEntity, told: "damaged", cause: err}
	case errors.Is(err, resque.ErrNoFailureList), errors.Is(err, resque.ErrFailureID):
		return &problem{status: http.StatusNotFound, told: "missing", cause: err}
	case errors.Is(err, resque.ErrNoTrash):
		return &problem{status: http.StatusGone, told: "gone", cause: err}
	case isAway(err):
		return &problem{status: http.StatusServiceUnavailable, told: "redis", cause: err}
	}
	return &problem{status: http.StatusInternalServerError, told: "broken", cause: err}
}

// refuse answers with a problem, as a page or as JSON.
func (h *Dashboard) refuse(q *request, err error) {
	if errors.Is(err, context.Canceled) && q.Context().Err() != nil {
		return // nobody is there
	}
	p := problemOf(err)
	if p.status >= http.StatusInternalServerError {
		h.cfg.Logger.Error("dashboard page failed", "path", q.path, "err", err)
	}
	title, advice := told(p.told)
	if p.detail != "" {
		advice = p.detail
	}
	if q.wantsJSON() {
		q.w.Header().Set("Content-Type", "application/problem+json")
		q.w.WriteHeader(p.status)
		_ = json.NewEncoder(q.w).Encode(map[string]any{"title": title, "detail": advice, "status": p.status}) // the client may be gone
		return
	}
	h.pages.write(q, p.status, "message", view{
		page: h.page(q, title, ""), Content: message{Title: title, Advice: advice, Retry: p.told == "redis"},
	})
}

// message is a page that only says something.
type message struct {
	Title, Advice string
	Retry         bool
}
