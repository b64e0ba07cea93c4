package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// events streams Server-Sent Events that name the pages which have changed. An open
// page then fetches itself again. The events contain nothing else, because users have
// different rights.
func (h *Dashboard) events(q *request) error {
	header := q.w.Header()
	if q.Method == http.MethodHead { // a stream would never end
		header.Set("Content-Type", "text/event-stream")
		return nil
	}
	s, ok := h.hub.enter()
	if !ok {
		return fail(problemNoStream, nil)
	}
	defer s.leave()
	control := http.NewResponseController(q.w)
	_ = control.SetReadDeadline(time.Time{}) // the server's would end the stream; not all writers support it
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store, no-transform") // proxies that compress also buffer
	header.Set("X-Accel-Buffering", "no")                 // otherwise nginx buffers
	end := time.NewTimer(h.hub.longest)
	defer end.Stop()
	// The first event also makes a page fetch what has changed since it was loaded.
	text := "retry: 2000\n" + changed(livePages())
	for text != "" {
		_ = control.SetWriteDeadline(time.Now().Add(2 * h.hub.comment)) // as above
		if _, err := fmt.Fprint(q.w, text); err != nil {
			return nil //nolint:nilerr // the browser has left
		}
		if err := control.Flush(); err != nil {
			return nil //nolint:nilerr // as above, or the application's middleware buffers: the page polls
		}
		text = s.next(q, end.C)
	}
	return nil
}

// next waits for what the stream sends next. It returns "" if the stream ends.
func (s *stream) next(q *request, end <-chan time.Time) string {
	quiet := time.NewTimer(s.hub.comment)
	defer quiet.Stop()
	for {
		select {
		case <-q.Context().Done():
		case <-s.over:
		case <-end:
		case <-quiet.C:
			return ":\n\n"
		case <-s.changed:
			if pages := s.news(); len(pages) > 0 {
				return changed(pages)
			}
			continue
		}
		return ""
	}
}

// changed returns the event for changed pages.
func changed(pages []string) string {
	return "event: changed\ndata: " + strings.Join(pages, " ") + "\n\n"
}
