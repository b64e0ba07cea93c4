package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// question is what a page asks before something is done that is hard to take
// back. The answer is the same form once more, with "sure".
type question struct {
	Title, Text, Yes string
	Action           string // where the answer goes; here, where it is empty
	Count            int64  // for more than 100 the reader types it
	Sample           []string
	Hidden           map[string]string
	Fields           []field
	Wrong            bool
}

type field struct{ Name, Value string }

// typeAbove is from which number on the reader types it.
const typeAbove = 100

// Typed tells whether the reader is to type the number.
func (a question) Typed() bool { return a.Count > typeAbove }

// isSure tells whether the question was answered. A number that was to be typed
// must be the one that was asked about.
func (q *request) isSure() bool {
	if q.PostFormValue("sure") == "" {
		return false
	}
	want := q.PostFormValue("count")
	return want == "" || strings.ReplaceAll(strings.TrimSpace(q.PostFormValue("typed")), ",", "") == want
}

// ask shows the question, with everything that the form had.
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
	h.pages.write(q, http.StatusOK, "ask", view{page: h.page(q, a.Title, ""), Content: a})
	return nil
}
