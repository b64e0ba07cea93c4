package web

import (
	"net/http"
	"strings"

	"github.com/goresque/goresque/resque"
)

// failurePage is the content of one failure's page.
type failurePage struct {
	Failure failureRow
	Frames  []frame `json:"-"`
	Folded  []frame `json:"-"` // those behind, of libraries
	Args    string  // as text to edit
	Queues  []string
}

func (h *Dashboard) failureJSON(q *request) error {
	q.json = true
	return h.failure(q)
}

// failure is the page of one failure. One that moved is found by its digest.
func (h *Dashboard) failure(q *request) error {
	id, err := resque.ParseFailureID(q.params["id"])
	if err != nil {
		return err
	}
	f, err := h.failures.Find(q.Context(), id)
	if err != nil {
		p := problemOf(err)
		if p.status == http.StatusConflict {
			return fail(http.StatusGone, "gone", err)
		}
		return err
	}
	content := failurePage{Failure: h.failureRow(f)}
	content.Frames, content.Folded = frames(f.Backtrace)
	if !h.hides() && f.Class != "" && f.Damage == nil { // what is hidden cannot be sent back
		parts := make([]string, len(f.Args))
		for i, arg := range f.Args {
			parts[i] = string(arg)
		}
		content.Args = "[" + strings.Join(parts, ", ") + "]"
	}
	if snap, err := h.snapshot(q.Context()); err == nil {
		for _, queue := range snap.Queues {
			content.Queues = append(content.Queues, queue.Name)
		}
	}
	return h.show(q, "failure", content.Failure.Job.Class, "failed", content)
}

// frame is a line of a backtrace.
type frame struct {
	Text string
	App  bool // of the application, not of a library
}

// frames tells the application's lines of a backtrace from those of libraries,
// and what comes behind the last of the former from the rest.
func frames(lines []string) (shown, folded []frame) {
	last := -1
	for i, line := range lines {
		f := frame{line, !isLibrary(line)}
		if f.App {
			last = i
		}
		shown = append(shown, f)
	}
	if last < 0 || len(lines)-last <= 3 {
		return shown, nil
	}
	return shown[:last+1], shown[last+1:]
}

// isLibrary tells a line of a gem, a module, or a language's own files.
func isLibrary(line string) bool {
	for _, part := range []string{
		"/gems/", "/lib/ruby/", "<internal:", "/pkg/mod/", "/vendor/", "/go/src/", "goresque/goresque/worker", "goresque/goresque/resque",
	} {
		if strings.Contains(line, part) {
			return true
		}
	}
	return strings.HasPrefix(line, "runtime.") || strings.HasPrefix(line, "net/http.")
}
