// Package live keeps open pages up to date: with a stream of events, with long polls
// if a stream fails, and with the script that uses both.
package live

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/goresque/goresque/demo/site"
)

//go:embed static
var files embed.FS

// Files returns the script of the pages.
func Files() embed.FS { return files }

// Config configures a Feed.
type Config struct {
	// Version returns the version of the latest change to anything.
	Version func(ctx context.Context) (int64, error)
	// List returns the items that the index lists, newest first. If only is not nil,
	// it returns the item with that id, or nothing.
	List func(ctx context.Context, only *int64) ([]Item, error)
	Log  *slog.Logger

	LookEvery    time.Duration // how often to look for changes while a page waits; 0 means 250 ms
	CommentEvery time.Duration // how often a quiet stream sends a comment, so that proxies keep it open; 0 means 15 s
}

// Item is what a page can follow.
type Item struct {
	ID, Version int64
	JSON        any
}

// Feed answers requests that wait for changes. It finds changes only while Run runs.
type Feed struct {
	cfg   Config
	watch *watcher
}

// New returns a feed.
func New(cfg Config) *Feed {
	cfg.LookEvery = cmp.Or(cfg.LookEvery, 250*time.Millisecond)
	cfg.CommentEvery = cmp.Or(cfg.CommentEvery, 15*time.Second)
	return &Feed{cfg: cfg, watch: newWatcher(cfg)}
}

// Run looks for changes until ctx ends. Then it ends the requests that wait.
func (f *Feed) Run(ctx context.Context) error { return f.watch.run(ctx) }

// Waiting returns how many requests wait now.
func (f *Feed) Waiting() int { return f.watch.count() }

// LongPoll returns an action that waits and then calls answer. With
// ?wait=SECONDS&version=N it waits until the item has another version or the time is
// up. The function id returns the item's id.
func (f *Feed) LongPoll(id func(*http.Request) (int64, error), answer site.Action) site.Action {
	return func(rw http.ResponseWriter, r *http.Request) error {
		only, err := id(r)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(r.Context(), patienceOf(rw, r))
		defer cancel()
		for {
			seen, err := f.cfg.Version(r.Context())
			if err != nil {
				return err
			}
			items, err := f.cfg.List(r.Context(), &only)
			if err != nil {
				return err
			}
			if len(items) == 0 || strconv.FormatInt(items[0].Version, 10) != r.FormValue("version") || !f.watch.wait(ctx, seen) {
				return answer(rw, r)
			}
		}
	}
}

// News answers with the items that have changed since ?version=N and with the ids of
// all listed items. It waits as LongPoll does.
func (f *Feed) News(rw http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), patienceOf(rw, r))
	defer cancel()
	version, err := f.known(r.Context(), r.FormValue("version"))
	if err != nil {
		return err
	}
	f.watch.wait(ctx, version)
	now, err := f.since(r.Context(), version, r.FormValue("id"))
	if err != nil {
		return err
	}
	return site.TaggedJSON(rw, r, now)
}

// patienceOf returns how long a request wants to wait. The default is 0, the maximum
// 30 s.
func patienceOf(rw http.ResponseWriter, r *http.Request) time.Duration {
	const longest = 30 * time.Second
	seconds, _ := strconv.ParseFloat(r.FormValue("wait"), 64) // 0 if it is not a number
	if !(seconds > 0) {                                       // written so that NaN becomes 0
		seconds = 0
	}
	wait := time.Duration(min(seconds, longest.Seconds()) * float64(time.Second))
	site.KeepOpen(rw, wait+time.Minute)
	return wait
}

// news is what an open page gets.
type news struct {
	Version int64   `json:"version"` // the page sends it with its next request
	IDs     []int64 `json:"ids"`     // all listed items, newest first
	Exports []any   `json:"exports"` // the items that have changed
}

// everything is a version below all others.
const everything = -1

// known returns the version that a client has seen. It returns everything if the
// client sends none, or one of another database, as after --reset.
func (f *Feed) known(ctx context.Context, text string) (int64, error) {
	version, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return everything, nil //nolint:nilerr // the client has sent no valid version
	}
	now, err := f.cfg.Version(ctx)
	if version > now {
		version = everything
	}
	return version, err
}

// since returns the news after a version: of one item if id is a number, or else of
// all that the index lists.
func (f *Feed) since(ctx context.Context, version int64, id string) (*news, error) {
	// Read the version first: a later change is then sent again, not lost.
	now, err := f.cfg.Version(ctx)
	if err != nil {
		return nil, err
	}
	if version > now { // the database was reset
		version = everything
	}
	var only *int64
	if n, err := strconv.ParseInt(id, 10, 64); err == nil {
		only = &n
	}
	items, err := f.cfg.List(ctx, only)
	if err != nil {
		return nil, err
	}
	n := &news{Version: now, IDs: []int64{}, Exports: []any{}}
	for _, item := range items {
		n.IDs = append(n.IDs, item.ID)
		if item.Version > version {
			n.Exports = append(n.Exports, item.JSON)
		}
	}
	return n, nil
}

// Events streams the news as Server-Sent Events. If the connection breaks, the
// browser connects again with the id of the last event, and the new stream continues
// after that event.
func (f *Feed) Events(rw http.ResponseWriter, r *http.Request) error {
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.FormValue("version")
	}
	version, err := f.known(r.Context(), last)
	if err != nil {
		return err
	}
	h := rw.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // otherwise nginx buffers events
	if r.Method == http.MethodHead {
		return nil // a stream would never end
	}
	text := "retry: 2000\n\n"
	for {
		site.KeepOpen(rw, 2*f.cfg.CommentEvery)
		if _, err := fmt.Fprint(rw, text); err != nil {
			return nil //nolint:nilerr // the visitor has left
		}
		if err := http.NewResponseController(rw).Flush(); err != nil {
			return nil //nolint:nilerr // the visitor has left
		}
		if version, text, err = f.nextEvent(r, version); err != nil || text == "" {
			if err != nil && r.Context().Err() == nil {
				f.cfg.Log.Error("stream ended", "err", err) // it is too late for an error page
			}
			return nil
		}
	}
}

// nextEvent waits for news after a version and returns it as text. The text is empty
// if the stream must end.
func (f *Feed) nextEvent(r *http.Request, version int64) (now int64, text string, err error) {
	ctx, cancel := context.WithTimeout(r.Context(), f.cfg.CommentEvery)
	defer cancel()
	if !f.watch.wait(ctx, version) {
		if ctx.Err() == nil || r.Context().Err() != nil { // the feed has ended, or the visitor has left
			return version, "", nil
		}
		return version, ": still here\n\n", nil
	}
	latest, err := f.since(r.Context(), version, r.FormValue("id"))
	if err != nil {
		return version, "", err
	}
	data, err := json.Marshal(latest)
	if err != nil {
		return version, "", fmt.Errorf("rendering an event: %w", err)
	}
	return latest.Version, fmt.Sprintf("id: %d\ndata: %s\n\n", latest.Version, data), nil
}
