package demo

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	longestWait  = 30 * time.Second // of a long poll
	commentEvery = 15 * time.Second // on a stream where nothing happens, lest a proxy cut it
)

// showJSON is an export for a client. With ?wait=SECONDS&version=N it is a long
// poll: answered when the export has another version, or when the time is over.
func (w *webApp) showJSON(rw http.ResponseWriter, r *http.Request, export *Export) error {
	ctx, cancel := context.WithTimeout(r.Context(), patienceOf(rw, r))
	defer cancel()
	var err error
	for seen := export.Version; strconv.FormatInt(export.Version, 10) == r.FormValue("version"); {
		if !w.watch.wait(ctx, seen) {
			break
		}
		if seen, err = w.db.version(r.Context()); err != nil {
			return err
		}
		if export, err = w.db.find(r.Context(), export.ID); err != nil {
			return err
		}
	}
	places, err := w.db.line(r.Context())
	if err != nil {
		return err
	}
	return renderTagged(rw, r, newExportJSON(export, places))
}

// indexJSON is what has changed since ?version=N, with all there is now; it waits
// as showJSON does.
func (w *webApp) indexJSON(rw http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), patienceOf(rw, r))
	defer cancel()
	version, err := w.known(r.Context(), r.FormValue("version"))
	if err != nil {
		return err
	}
	w.watch.wait(ctx, version)
	news, err := w.since(r.Context(), version, r.FormValue("id"))
	if err != nil {
		return err
	}
	return renderTagged(rw, r, news)
}

// patienceOf is how long a request wants to wait: not at all by default.
func patienceOf(rw http.ResponseWriter, r *http.Request) time.Duration {
	seconds, _ := strconv.ParseFloat(r.FormValue("wait"), 64) // what is no number is no time
	if !(seconds > 0) {                                       // also NaN
		seconds = 0
	}
	wait := time.Duration(min(seconds, longestWait.Seconds()) * float64(time.Second))
	keepOpen(rw, wait+time.Minute)
	return wait
}

// keepOpen moves on the server's limit on an answer, which is meant for those that
// are given at once. A writer that cannot do it has no limit.
func keepOpen(rw http.ResponseWriter, limit time.Duration) {
	_ = http.NewResponseController(rw).SetWriteDeadline(time.Now().Add(limit))
}

// renderTagged renders JSON that a client need not read again while it is the same.
func renderTagged(rw http.ResponseWriter, r *http.Request, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("rendering JSON: %w", err)
	}
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(text))
	rw.Header().Set("ETag", tag)
	rw.Header().Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == tag {
		rw.Header().Set("Vary", "Accept")
		rw.WriteHeader(http.StatusNotModified)
		return nil
	}
	write(rw, http.StatusOK, "application/json", append(text, '\n'))
	return nil
}

// news is what a page that is open needs to follow the exports.
type news struct {
	Version int64        `json:"version"` // to ask for what comes after it
	IDs     []int64      `json:"ids"`     // all that are listed, newest first
	Exports []exportJSON `json:"exports"` // those that have changed
}

// everything is the version that all there is comes after.
const everything = -1

// known is the version that a client has seen, or everything where it names none,
// or one of another database: of the one before a --reset, or of a --temp.
func (w *webApp) known(ctx context.Context, text string) (int64, error) {
	version, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return everything, nil //nolint:nilerr // what is no number is none
	}
	now, err := w.db.version(ctx)
	if version > now {
		version = everything
	}
	return version, err
}

// since are the news after a version: of one export, if its id is given, else of
// those that the index lists.
func (w *webApp) since(ctx context.Context, version int64, only string) (*news, error) {
	now, err := w.db.version(ctx) // first: what changes from here on is told again
	if err != nil {
		return nil, err
	}
	if version > now { // they have begun anew
		version = everything
	}
	exports, err := w.db.latest(ctx, exportsPerPage)
	if id, bad := strconv.ParseInt(only, 10, 64); bad == nil {
		exports, err = w.db.withID(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	places, err := w.db.line(ctx)
	if err != nil {
		return nil, err
	}
	n := &news{Version: now, IDs: []int64{}, Exports: []exportJSON{}}
	for _, e := range exports {
		n.IDs = append(n.IDs, e.ID)
		if e.Version > version {
			n.Exports = append(n.Exports, newExportJSON(e, places))
		}
	}
	return n, nil
}

// events is the stream of all news, as Server-Sent Events. Where a connection
// broke, the next one begins: the browser says which event it had last.
func (w *webApp) events(rw http.ResponseWriter, r *http.Request) error {
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.FormValue("version")
	}
	version, err := w.known(r.Context(), last)
	if err != nil {
		return err
	}
	h := rw.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events to itself
	if r.Method == http.MethodHead {
		return nil // it would hold the connection, and nobody could see
	}
	text := "retry: 2000\n\n"
	for {
		keepOpen(rw, 2*commentEvery)
		if _, err := fmt.Fprint(rw, text); err != nil {
			return nil //nolint:nilerr // the visitor has gone
		}
		if err := http.NewResponseController(rw).Flush(); err != nil {
			return nil //nolint:nilerr // the visitor has gone
		}
		if version, text, err = w.nextEvent(r, version); err != nil || text == "" {
			if err != nil && r.Context().Err() == nil {
				w.cfg.log.Error("stream ended", "err", err) // it is too late for an error page
			}
			return nil
		}
	}
}

// nextEvent waits for news after a version. The text is empty at the end.
func (w *webApp) nextEvent(r *http.Request, version int64) (now int64, text string, err error) {
	ctx, cancel := context.WithTimeout(r.Context(), commentEvery)
	defer cancel()
	if !w.watch.wait(ctx, version) {
		if ctx.Err() == nil || r.Context().Err() != nil { // we end, or the visitor has gone
			return version, "", nil
		}
		return version, ": still here\n\n", nil
	}
	news, err := w.since(r.Context(), version, r.FormValue("id"))
	if err != nil {
		return version, "", err
	}
	data, err := json.Marshal(news)
	if err != nil {
		return version, "", fmt.Errorf("rendering an event: %w", err)
	}
	return news.Version, fmt.Sprintf("id: %d\ndata: %s\n\n", news.Version, data), nil
}
