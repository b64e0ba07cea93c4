package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// question is what a page asks before an action that is hard to undo. The answer
// repeats the form with the additional field "sure".
type question struct {
	Title, Text, Yes string
	Action           string // path of the answer; empty for the current path
	Count            int64  // above typeAbove the user must type it
	Sample           []string
	Hidden           map[string]string
	Fields           []field
	Wrong            bool
	Back             string // the target of the link "Cancel"
}

type field struct{ Name, Value string }

// typeAbove is the number of entries above which the user must type the number.
const typeAbove = 100

// Typed reports whether the user must type the number.
func (a question) Typed() bool { return a.Count > typeAbove }

// isSure reports whether a question about few or no entries was answered. If a number
// was typed, it must be the one in the question.
func (q *request) isSure() bool {
	if q.PostFormValue("sure") == "" {
		return false
	}
	want := q.PostFormValue("count")
	return want == "" || strings.ReplaceAll(strings.TrimSpace(q.PostFormValue("typed")), ",", "") == want
}

// isSureOf reports whether the question about n entries was answered. Above typeAbove, the
// answer must have the number of the question, and the typed one.
func (q *request) isSureOf(n int64) bool { return q.isSure() && (n <= typeAbove || q.hasTyped()) }

func (q *request) hasTyped() bool {
	n, err := strconv.ParseInt(q.PostFormValue("count"), 10, 64)
	return err == nil && n > typeAbove
}

// isSureOfAll is isSureOf for entries that must be counted first, which can take long. It
// returns their number if it returns false.
func (q *request) isSureOfAll(count func() (int64, error)) (n int64, sure bool, err error) {
	if q.isSureOf(typeAbove + 1) {
		return 0, true, nil
	}
	n, err = count()
	return n, err == nil && q.isSureOf(n), err
}

// ask shows the question, with all fields of the form.
func (h *Dashboard) ask(q *request, a question) error {
	a.Wrong = q.PostFormValue("sure") != ""
	if a.Action == "" {
		a.Action = q.path
	}
	names := make([]string, 0, len(q.PostForm))
	for name := range q.PostForm {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if name == "sure" || name == "typed" || name == "count" {
			continue
		}
		for _, value := range q.PostForm[name] {
			a.Fields = append(a.Fields, field{name, value})
		}
	}
	for name, value := range a.Hidden {
		if value != "" && q.PostForm.Get(name) == "" {
			a.Fields = append(a.Fields, field{name, value})
		}
	}
	if a.Typed() {
		a.Fields = append(a.Fields, field{"count", strconv.FormatInt(a.Count, 10)})
	}
	if len(a.Sample) > 10 {
		a.Sample = append(slices.Clone(a.Sample[:10]), "…")
	}
	if q.wantsJSON() {
		return fail(problemConfirm, nil)
	}
	a.Back = h.before(q)
	p := h.page(q, a.Title, "")
	p.Here, p.Refresh = a.Back, 0 // GET of an action is not a page
	h.write(q, http.StatusOK, "ask", view{page: p, Content: a})
	return nil
}

// before returns the page from which an action was requested: the one that the form names, or
// else the page above the path of the action.
func (h *Dashboard) before(q *request) string {
	if back := q.PostFormValue("back"); isLocal(back) {
		return back
	}
	path, err := segments(q.URL)
	whole := len(path)
	for ; err == nil && len(path) > 0; path = path[:len(path)-1] {
		found, _, _ := match(h.routes, http.MethodGet, path)
		action, _, _ := match(h.routes, http.MethodPost, path)
		if found == nil || action != nil && action.pattern != found.pattern || // "statuses/clear" is not an id
			len(path) == whole && strings.Contains(found.pattern, ":") { // "failed/remove/:id" asks
			continue
		}
		for i, part := range path {
			path[i] = url.PathEscape(part)
		}
		return strings.Join(path, "/")
	}
	return "overview"
}
