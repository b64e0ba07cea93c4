package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// failurePage is the content of one failure's page.
type failurePage struct {
	Failure failureRow
	Older   string  // the failure before it in its list, "" for none
	Newer   string  // the one behind it
	Frames  []frame `json:"-"`
	Folded  []frame `json:"-"` // those behind, of libraries
	Args    string  // as text to edit
	Queues  []string
	Copies  []textCopy `json:"-"`
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
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	f, content, err := h.findFailure(q, snap, id)
	if err != nil {
		if problemOf(err).status == http.StatusConflict {
			return &problem{status: http.StatusGone, told: "gone", cause: err, detail: h.removals.told(id)}
		}
		return err
	}
	content.Failure = h.failureRow(f)
	content.Frames, content.Folded = frames(f.Backtrace)
	if !h.hides() && f.Class != "" && f.Damage == nil { // what is hidden cannot be sent back
		parts := make([]string, len(f.Args))
		for i, arg := range f.Args {
			parts[i] = string(arg)
		}
		content.Args = "[" + strings.Join(parts, ", ") + "]"
	}
	content.Copies = h.copies(q, f)
	for _, queue := range snap.Queues {
		content.Queues = append(content.Queues, queue.Name)
	}
	return h.show(q, "failure", content.Failure.Job.Class, "failed", content)
}

// findFailure reads the failure and those beside it, which is one look where it has
// not moved.
func (h *Dashboard) findFailure(q *request, snap moment, id resque.FailureID) (f resque.FailedJob, content failurePage, err error) {
	read := func(position int64) (around []resque.FailedJob, err error) {
		first := max(position-1, 0)
		records, err := h.store.FailedRecords(q.Context(), id.List, first, position+1)
		for i, raw := range records {
			around = append(around, resque.ParseFailedJob(id.List, first+int64(i), raw))
		}
		return around, err
	}
	var around []resque.FailedJob
	known := slices.ContainsFunc(snap.Failures, func(l store.ListSize) bool { return l.Name == id.List })
	if known { // any other key may be no list of failures
		if around, err = read(id.Position); err != nil {
			return f, content, err
		}
	}
	if !slices.ContainsFunc(around, func(j resque.FailedJob) bool { return j.ID == id }) {
		if f, err = h.failures.Find(q.Context(), id); err != nil {
			return f, content, err
		}
		if around, err = read(f.ID.Position); err != nil {
			return f, content, err
		}
		id = f.ID
	}
	for _, j := range around {
		switch {
		case j.ID.Position < id.Position:
			content.Older = j.ID.String()
		case j.ID.Position > id.Position:
			content.Newer = j.ID.String()
		default:
			f = j
		}
	}
	return f, content, nil
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
