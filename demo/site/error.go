package site

import (
	"errors"
	"net/http"

	"github.com/gorilla/mux"
)

// Action answers a request. Its error becomes a page.
type Action func(rw http.ResponseWriter, r *http.Request) error

// Error is an error that the visitor reads.
type Error struct {
	Status      int
	Title, Text string
	Retry       string // the path of "Try again", if there is one
	See         string // the path of the export that it is about
	Cause       error  // for the log; nil if the visitor caused it
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Cause.Error()
	}
	return e.Text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// NoPage returns the error of an address without a page.
func NoPage() *Error {
	return &Error{Status: http.StatusNotFound, Title: "Not found", Text: "There is nothing here. It may have been there once."}
}

// NotAllowed returns the error of a page that cannot be asked for with a method,
// and sets the header with those that the routes have.
func NotAllowed(rw http.ResponseWriter, r *http.Request, routes *mux.Router) *Error {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if match := (mux.RouteMatch{}); routes.Match(other, &match) && match.MatchErr == nil {
			rw.Header().Add("Allow", method)
		}
	}
	return &Error{Status: http.StatusMethodNotAllowed, Title: "Not like that", Text: "This page cannot be asked for with " + r.Method + "."}
}

// Handle makes a handler of an action. This is the one place where errors meet
// visitors: the log gets the cause, and the visitor reads what to do.
func (s *Site) Handle(a Action) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		err := readForm(rw, r)
		if err == nil {
			err = a(rw, r)
		}
		if err != nil {
			s.refuse(rw, r, err)
		}
	})
}

// readForm reads the form of a request, in its body and its address. It refuses a
// POST with a form that is too large or cannot be read.
func readForm(rw http.ResponseWriter, r *http.Request) error {
	const most = 64 << 10
	r.Body = http.MaxBytesReader(rw, r.Body, most) // also a GET's: FormValue would read it
	err := r.ParseForm()                           // first: the other one hides its errors
	if err == nil {
		err = r.ParseMultipartForm(most)
	}
	switch _, large := errors.AsType[*http.MaxBytesError](err); {
	case err == nil, errors.Is(err, http.ErrNotMultipart), r.Method != http.MethodPost:
		return nil
	case large:
		return &Error{Status: http.StatusRequestEntityTooLarge, Title: "Too much", Text: "The form is larger than any of ours, so nothing was done."}
	}
	return &Error{Status: http.StatusBadRequest, Title: "Not like that", Text: "The form cannot be read, so nothing was done."}
}

// errorView is what the error page shows.
type errorView struct {
	Head
	*Error
}

// errorJSON is what a program gets instead.
type errorJSON struct {
	Error string `json:"error"`
	URL   string `json:"url,omitempty"` // of the export that it is about
}

func (s *Site) refuse(rw http.ResponseWriter, r *http.Request, err error) {
	page, ok := errors.AsType[*Error](err)
	if !ok {
		page = &Error{
			Status: http.StatusInternalServerError, Title: "Something went wrong",
			Text: "This is our fault, not yours. The cause is in the log; please try again.",
		}
	}
	if page.Status >= http.StatusInternalServerError {
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "status", page.Status, "err", err)
	}
	render := func() error { return s.Render(rw, page.Status, "error.html", errorView{Error: page}) }
	if WantsJSON(r) {
		render = func() error { return JSON(rw, page.Status, errorJSON{page.Text, page.See}) }
	}
	if err := render(); err != nil {
		s.log.Error("page not rendered", "path", r.URL.Path, "err", err)
		http.Error(rw, page.Text, page.Status)
	}
}
