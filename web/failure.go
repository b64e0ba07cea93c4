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
	Attempt int64   // from 1, of a Rails job; of others the last one, while a counter has it; 0 if it is not known
	Limit   int64   // of attempts; 0 if it is not known, -1 without a limit
	Older   string  // id of the failure before it in its list, or ""
	Newer   string  // id of the failure after it in its list, or ""
	Frames  []frame `json:"-"`
	Folded  []frame `json:"-"` // the lines after the application's last one
	Args    string  // JSON text to edit
	Queues  []string
	Copies  []textCopy `json:"-"`
}

func (h *Dashboard) failureJSON(q *request) error {
	q.json = true
	return h.failure(q)
}

// failure serves the page of one failure. A failure whose position changed is found
// by its digest.
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
			return &problem{code: problemGone, cause: err, advice: h.removals.told(q.language, id)}
		}
		return err
	}
	content.Failure = h.failureRow(f)
	content.Frames, content.Folded = frames(f.Backtrace)
	if !h.hides() && f.Class != "" && f.Damage == nil && f.IsWhole() && !resque.IsEncrypted(f.Args) { // hidden arguments cannot be edited
		parts := make([]string, len(f.Args))
		for i, arg := range f.Args {
			parts[i] = string(arg)
		}
		content.Args = "[" + strings.Join(parts, ", ") + "]"
	}
	if job, err := resque.ParsePayload(f.Queue, f.Original()); err == nil && f.IsWhole() {
		attempts, err := h.retries().AttemptsOf(q.Context(), job, "")
		if err != nil {
			return err
		}
		if content.Attempt = attempts.Begun; content.Attempt > 0 {
			content.Limit = attempts.Limit
		}
	}
	content.Copies = h.copies(q, f)
	for _, queue := range snap.Queues {
		content.Queues = append(content.Queues, queue.Queue)
	}
	return h.show(q, "failure", content.Failure.Job.Class, "failed", content)
}

// failureBytes is the size of the largest failure that its page shows whole.
const failureBytes = 4 << 20

// findFailure reads a failure and its neighbours. That is one round trip if the
// failure is still at its position.
func (h *Dashboard) findFailure(q *request, snap moment, id resque.FailureID) (f resque.FailedJob, content failurePage, err error) {
	read := func(position int64) (around []resque.FailedJob, err error) {
		first := max(position-1, 0)
		around, err = h.failures.Preview(q.Context(), id.List, first, position-first+2, failureBytes)
		for i, j := range around {
			if j.ID.Position == position && !j.IsWhole() && j.Size <= failureBytes && err == nil { // its neighbour is larger
				var alone []resque.FailedJob
				if alone, err = h.failures.Preview(q.Context(), id.List, position, 1, failureBytes); len(alone) > 0 {
					around[i] = alone[0]
				}
			}
		}
		return around, err
	}
	var around []resque.FailedJob
	known := slices.ContainsFunc(snap.Failures, func(l resque.FailureListSize) bool { return l.List == id.List })
	if known { // another key may not be a list of failures
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
	App  bool // from the application, not from a library
}

// frames marks the application's lines of a backtrace. folded are the lines after the
// last of them, if there are more than a few.
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

// isLibrary reports whether a line comes from a gem, a Go module or a standard
// library.
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

// textCopy is a text that the user can copy.
type textCopy struct{ Title, Text string }

// copies returns the failure as JSON, a command that retries it, and a test that
// performs it. None of them contains what the configuration hides.
func (h *Dashboard) copies(q *request, f resque.FailedJob) []textCopy {
	var all []textCopy
	if !h.hides() {
		var out bytes.Buffer
		if json.Indent(&out, f.Raw, "", "  ") != nil {
			out.Reset()
			out.Write(f.Raw)
		}
		all = append(all, textCopy{q.t("As JSON"), out.String()})
	}
	all = append(all, textCopy{q.t("As a curl command that retries it"), curlOf(q, f.ID)})
	if !h.hides() && f.Class != "" && f.IsWhole() {
		all = append(all, textCopy{q.t("As a Go test"), goTest(f)})
	}
	return all
}

// curlOf returns the command that retries a failure, with the address that the user's
// browser used.
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

// goTest returns a test that performs the job as it failed.
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

// oneLine joins the lines of a text, so that it fits into a comment.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// removals remembers the failures that were last removed or retried through this
// process. The page of such a failure says who did it.
type removals struct {
	mu   sync.Mutex
	byID map[resque.FailureID]removal
	last []resque.FailureID
}

type removal struct {
	user, act string
	at        time.Time
}

// removalsKept is the number of remembered failures.
const removalsKept = 2000

func (r *removals) add(user, act string, ids ...resque.FailureID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID == nil {
		r.byID = map[resque.FailureID]removal{}
	}
	for _, id := range ids {
		id.Position = 0 // the position may have changed
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

// told returns a sentence that says who removed or retried a failure, or "" if that
// is unknown.
func (r *removals) told(l *language, id resque.FailureID) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	id.Position = 0
	known, ok := r.byID[id]
	if !ok {
		return ""
	}
	at := known.at.UTC().Format("2006-01-02 15:04:05 UTC")
	if known.act == "retry" {
		return l.t("Retried by %s at %s.", known.user, at)
	}
	return l.t("Removed by %s at %s.", known.user, at)
}
