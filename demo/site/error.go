package site

import (
	"errors"
	"net/http"

	"github.com/gorilla/mux"
)

// Action answers a request, or returns an error, which Handle shows as a page.
type Action func(rw http.ResponseWriter, r *http.Request) error

// Error is an error with a page for the visitor.
type Error struct {
	Status      int
	Title, Text string
	Retry       string // the path that the button "Try again" posts to, or empty
	See         string // the path of the export's page, or empty
	Cause       error  // for the log; nil if the visitor caused the error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Cause.Error()
	}
	return e.Text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// NoPage returns the error for an address without a page.
func NoPage() *Error {
	return &Error{Status: http.StatusNotFound, Title: "Not found", Text: "There is no page at this address."}
}

// NotAllowed returns the error for a method that an address does not support. It sets
// the header Allow to the methods that it supports.
func NotAllowed(rw http.ResponseWriter, r *http.Request, routes *mux.Router) *Error {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if match := (mux.RouteMatch{}); routes.Match(other, &match) && match.MatchErr == nil {
			rw.Header().Add("Allow", method)
		}
	}
	return &Error{Status: http.StatusMethodNotAllowed, Title: "Method not allowed", Text: "This address does not support the method " + r.Method + "."}
}

// Handle returns a handler that performs an action. If the action returns an error,
// the log gets the cause and the visitor gets a page.
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

// readForm parses the form in a request's body and address. It returns an error if
// the request is a POST and its form is too large or cannot be parsed.
func readForm(rw http.ResponseWriter, r *http.Request) error {
	const most = 64 << 10
	r.Body = http.MaxBytesReader(rw, r.Body, most) // also for GET, because FormValue reads the body
	err := r.ParseForm()                           // first, because ParseMultipartForm hides its errors
	if err == nil {
		err = r.ParseMultipartForm(most)
	}
	switch {
	case err == nil, errors.Is(err, http.ErrNotMultipart), r.Method != http.MethodPost:
		return nil
	case errors.As(err, new(*http.MaxBytesError)):
		return &Error{Status: http.StatusRequestEntityTooLarge, Title: "Form too large", Text: "The form is larger than 64 kB. Nothing was done."}
	}
	return &Error{Status: http.StatusBadRequest, Title: "Bad request", Text: "The form is not valid. Nothing was done."}
}

// errorView is what the error page shows.
type errorView struct {
	Head
	*Error
}

// errorJSON is the error for a program.
type errorJSON struct {
	Error string `json:"error"`
	URL   string `json:"url,omitempty"` // of the export
}

func (s *Site) refuse(rw http.ResponseWriter, r *http.Request, err error) {
	var page *Error
	if !errors.As(err, &page) {
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
