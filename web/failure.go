package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/token"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

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
		if problemOf(err).code == problemChanged {
			return &problem{code: problemGone, cause: err, advice: h.removals.told(id)}
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
		content.Queues = append(content.Queues, queue.Queue)
	}
	return h.show(q, "failure", content.Failure.Job.Class, "failed", content)
}

// findFailure reads the failure and those beside it, which is one look where it has
// not moved.
func (h *Dashboard) findFailure(q *request, snap moment, id resque.FailureID) (f resque.FailedJob, content failurePage, err error) {
	read := func(position int64) (around []resque.FailedJob, err error) {
		first := max(position-1, 0)
		return h.failures.Page(q.Context(), id.List, first, position-first+2)
	}
	var around []resque.FailedJob
	known := slices.ContainsFunc(snap.Failures, func(l resque.FailureListSize) bool { return l.List == id.List })
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

// textCopy is a text for the reader to take along.
type textCopy struct{ Title, Text string }

// copies are the failure as JSON, the command that retries it, and a test that
// performs it. What readers may not see is in none of them.
func (h *Dashboard) copies(q *request, f resque.FailedJob) []textCopy {
	var all []textCopy
	if !h.hides() {
		var out bytes.Buffer
		if json.Indent(&out, f.Raw, "", "  ") != nil {
			out.Reset()
			out.Write(f.Raw)
		}
		all = append(all, textCopy{t("As JSON"), out.String()})
	}
	all = append(all, textCopy{t("Retry by curl"), curlOf(q, f.ID)})
	if !h.hides() && f.Class != "" {
		all = append(all, textCopy{t("As a Go test"), goTest(f)})
	}
	return all
}

// curlOf is the command that retries a failure, at the address that the reader has.
func curlOf(q *request, id resque.FailureID) string {
	scheme := "http"
	if q.TLS != nil {
		scheme = "https"
	}
	asked, _, _ := strings.Cut(q.RequestURI, "?")
	mount, _, _ := strings.Cut(asked, "/failures/")
	address := scheme + "://" + q.Host + mount + "/failed/requeue/" + url.PathEscape(id.String())
	return "curl -X POST -H 'Accept: application/json' " + shellQuote(address)
}

func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// goTest is a test that performs the job as it failed.
func goTest(f resque.FailedJob) string {
	name := strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, f.Class)
	if name == "" || !token.IsIdentifier("Test"+name) {
		name = "Job"
	}
	payload := strconv.Quote(string(f.Original()))
	if strconv.CanBackquote(string(f.Original())) {
		payload = "`" + string(f.Original()) + "`"
	}
	return fmt.Sprintf(`// It failed with %s: %s
func Test%s(t *testing.T) {
	job, err := resque.ParsePayload(%s, []byte(%s))
	require.NoError(t, err)
	require.NoError(t, mux().Perform(t.Context(), job)) // your mux
}

`, oneLine(f.Exception), oneLine(cut(200, f.Error)), name, strconv.Quote(f.Queue), payload)
}

// oneLine is a text that cannot end a comment.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// removals are the last failures that readers of this process removed or retried by
// name: who comes for one of them later is told.
type removals struct {
	mu   sync.Mutex
	byID map[resque.FailureID]removal
	last []resque.FailureID
}

type removal struct {
	user, act string
	at        time.Time
}

// removalsKept is how many are remembered.
const removalsKept = 2000

func (r *removals) add(user, act string, ids ...resque.FailureID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID == nil {
		r.byID = map[resque.FailureID]removal{}
	}
	for _, id := range ids {
		id.Position = 0 // it may have moved
		if _, ok := r.byID[id]; !ok {
			r.last = append(r.last, id)
		}
		r.byID[id] = removal{user, act, time.Now()}
	}
	for len(r.last) > removalsKept {
		delete(r.byID, r.last[0])
		r.last = r.last[1:]
	}
}

// told says who removed a failure, where that is known.
func (r *removals) told(id resque.FailureID) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	id.Position = 0
	known, ok := r.byID[id]
	if !ok {
		return ""
	}
	at := known.at.UTC().Format("2006-01-02 15:04:05 UTC")
	if known.act == "retry" {
		return t("Retried by %s at %s.", known.user, at)
	}
	return t("Removed by %s at %s.", known.user, at)
}
