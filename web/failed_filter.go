package web

import (
	"net/http"
	"net/url"
	"time"

	"github.com/goresque/goresque/resque"
)

// filterForm is the filter as the form has it.
type filterForm struct{ Class, Queue, Exception, Text, Since, Retried string }

// IsEmpty tells that all failures are meant.
func (f filterForm) IsEmpty() bool { return f == filterForm{} }

// Hidden are the filter's fields for a form that acts on what it passes.
func (f filterForm) Hidden() map[string]string {
	return map[string]string{
		"class": f.Class, "queue": f.Queue, "exception": f.Exception, "q": f.Text, "since": f.Since, "retried": f.Retried,
	}
}

// filterOf reads the filter of an address or a form.
func (h *Dashboard) filterOf(q *request) (filterForm, resque.FailureFilter, error) {
	form := filterForm{
		Class: q.FormValue("class"), Queue: q.FormValue("queue"), Exception: q.FormValue("exception"),
		Text: q.FormValue("q"), Since: q.FormValue("since"), Retried: q.FormValue("retried"),
	}
	filter := resque.FailureFilter{
		List: q.params["queue"], Class: form.Class, Queue: form.Queue, Exception: form.Exception, Text: form.Text,
	}
	switch form.Retried {
	case "yes":
		filter.Retried = resque.OnlyRetried
	case "no":
		filter.Retried = resque.NotRetried
	}
	if form.Since != "" {
		at, ok := parseTime(form.Since)
		if d, err := time.ParseDuration(form.Since); err == nil && d > 0 {
			at, ok = time.Now().Add(-d), true
		}
		if !ok {
			return form, filter, fail(http.StatusBadRequest, "form", nil)
		}
		filter.Since = at
	}
	return form, filter, nil
}

// failedPath is where the failures of a list are.
func failedPath(list string) string {
	if list == "" {
		return "failed"
	}
	return "failed/" + url.PathEscape(list)
}
