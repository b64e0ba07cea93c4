package demo

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// action answers a request; its error becomes a page.
type action func(rw http.ResponseWriter, r *http.Request) error

// statusError is an error that the visitor is to read.
type statusError struct {
	status      int
	title, text string
}

func (e *statusError) Error() string { return e.text }

func errNoPage() error {
	return &statusError{http.StatusNotFound, "Not found", "There is nothing here. It may have been there once."}
}

// noFileError reports an export that has no file, not yet or no longer.
type noFileError struct{ export *Export }

func (e *noFileError) Error() string {
	return fmt.Sprintf("Export %d has no file to download.", e.export.ID)
}

// queueError reports an export that is stored but could not be queued.
type queueError struct {
	export *Export
	err    error
}

func (e *queueError) Error() string { return e.err.Error() }

func (e *queueError) Unwrap() error { return e.err }

// handle makes a handler of an action. This is the one place where errors meet
// visitors: their causes go to the log, and people read what they can do.
func (w *webApp) handle(a action) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		err := readForm(rw, r)
		if err == nil {
			err = a(rw, r)
		}
		if err != nil {
			w.answer(rw, r, err)
		}
	})
}

// readForm reads what a request says, in its body and its address. One that wants
// something done, and cannot be understood, is refused.
func readForm(rw http.ResponseWriter, r *http.Request) error {
	const most = 64 << 10
	r.Body = http.MaxBytesReader(rw, r.Body, most) // a GET's, too: FormValue would read it
	err := r.ParseForm()                           // first: the other one hides its errors
	if err == nil {
		err = r.ParseMultipartForm(most)
	}
	switch _, large := errors.AsType[*http.MaxBytesError](err); {
	case err == nil, errors.Is(err, http.ErrNotMultipart), r.Method != http.MethodPost:
		return nil
	case large:
		return &statusError{http.StatusRequestEntityTooLarge, "Too much", "The form is larger than any of ours, so nothing was done."}
	}
	return &statusError{http.StatusBadRequest, "Not like that", "The form cannot be read, so nothing was done."}
}

func (w *webApp) answer(rw http.ResponseWriter, r *http.Request, err error) {
	view := w.explain(err)
	if view.Status >= http.StatusInternalServerError {
		w.cfg.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "status", view.Status, "err", err)
	}
	render := func() error { return w.pages.render(rw, view.Status, "error.html", view) }
	if wantsJSON(r) {
		render = func() error { return renderJSON(rw, view.Status, errorJSON{view.Text, view.See}) }
	}
	if err := render(); err != nil {
		w.cfg.log.Error("page not rendered", "path", r.URL.Path, "err", err)
		http.Error(rw, view.Text, view.Status)
	}
}

// errorView is what the error page shows.
type errorView struct {
	head
	Status      int
	Title, Text string
	Retry       string // the path of "Try again", where there is one
	See         string // the path of the export that it is about
}

// errorJSON is what a client gets instead.
type errorJSON struct {
	Error string `json:"error"`
	URL   string `json:"url,omitempty"` // of the export that it is about
}

func (w *webApp) explain(err error) errorView {
	var (
		plain    *statusError
		notFound *notFoundError
		noFile   *noFileError
		queue    *queueError
	)
	switch {
	case errors.As(err, &plain):
		return errorView{Status: plain.status, Title: plain.title, Text: plain.text}
	case errors.As(err, &notFound):
		return errorView{Status: http.StatusNotFound, Title: "No such export", Text: "This export does not exist, or no longer."}
	case errors.As(err, &noFile):
		return noFileView(noFile.export)
	case errors.As(err, &queue):
		return errorView{
			Status: http.StatusServiceUnavailable, Title: "Your export could not be queued",
			Text:  "The queue, which lives in Redis, cannot be reached at the moment. Your export is kept: once Redis is back, try again.",
			Retry: pathOf(queue.export) + "/retry",
		}
	default:
		return errorView{
			Status: http.StatusInternalServerError, Title: "Something went wrong",
			Text: "This is our fault, not yours. The cause is in the log; please try again.",
		}
	}
}

func noFileView(e *Export) errorView {
	v := errorView{Status: http.StatusConflict, Title: "Nothing to download", Text: fmt.Sprintf("Export %d has no file.", e.ID), See: pathOf(e)}
	switch {
	case e.State == Expired || e.State == Ready:
		v.Status, v.Title = http.StatusGone, "No longer there"
		v.Text = fmt.Sprintf("The file of export %d was kept for a day. You can have it created again.", e.ID)
		v.Retry = pathOf(e) + "/retry"
	case !e.Complete():
		v.Title, v.Text = "Not ready yet", fmt.Sprintf("Export %d is still on its way; its page shows how far it is.", e.ID)
	}
	return v
}

func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}
