package web_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/browsertest"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/web"
)

// runs runs a dashboard until the test ends or stop is called.
func runs(t *testing.T, h *web.Dashboard) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	t.Cleanup(stop)
	require.Eventually(t, func() bool { return web.Serves(h) }, waitLong, tick)
	return stop
}

// listener reads a stream.
type listener struct {
	t     *testing.T
	res   *http.Response
	lines *bufio.Scanner
}

func listenTo(t *testing.T, url string) *listener {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitLong)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	require.Equal(t, http.StatusOK, res.StatusCode)
	return &listener{t, res, bufio.NewScanner(res.Body)}
}

// next returns the pages that the next event names, or "" if the stream has ended.
func (l *listener) next() string {
	l.t.Helper()
	for l.lines.Scan() {
		if pages, ok := strings.CutPrefix(l.lines.Text(), "data: "); ok {
			return pages
		}
	}
	return ""
}

// until reads events until one names a page.
func (l *listener) until(page string) {
	l.t.Helper()
	for pages := l.next(); !strings.Contains(pages, page); pages = l.next() {
		require.NotEmpty(l.t, pages, "the stream has ended")
	}
}

func TestEventsNameChangedPages(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fill()
	web.LookEvery(s.dashboard, 5*time.Millisecond)
	stop := runs(t, s.dashboard)
	url := s.listen()
	l := listenTo(t, url+"/events")
	assert.Equal(t, "text/event-stream", l.res.Header.Get("Content-Type"))
	assert.Equal(t, "no", l.res.Header.Get("X-Accel-Buffering"))
	assert.Equal(t, "no-store, no-transform", l.res.Header.Get("Cache-Control"))
	assert.Contains(t, l.next(), "overview queues working workers failed", "what changed since the page was loaded")
	s.do("RPUSH", "resque:failed", record("Newcomer", "[]", "E", "m", "exports", time.Now(), ""))
	l.until("failed")
	s.do("SADD", "resque:queues", "another")
	l.until("queues")
	stop()
	for l.next() != "" { //nolint:revive // what was found before
	}
	require.NoError(t, l.lines.Err(), "the stream ends, it is not cut off")
	a := s.get("/events")
	assert.Equal(t, http.StatusServiceUnavailable, a.Code, "without Run there are no streams")
	assert.NotContains(t, s.get("/overview").Body.String(), "data-stream", "pages then do not try")
	assert.Zero(t, web.Streams(s.dashboard))
}

func TestEventsNeedAccessAndAnswerHead(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{Auth: web.BasicAuth("ann", "sesame")})
	runs(t, s.dashboard)
	assert.Equal(t, http.StatusUnauthorized, s.get("/events").Code)
	head := s.ask(http.MethodHead, "/events", "", "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("ann:sesame")))
	assert.Equal(t, http.StatusOK, head.Code)
	assert.Equal(t, "text/event-stream", head.Header().Get("Content-Type"))
	assert.Contains(t, s.get("/overview", "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("ann:sesame"))).Body.String(), `data-stream="overview"`)
}

// Any number of streams needs one snapshot per look, and no stream is left behind.
func TestStreamsShareLooks(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	dashboard, trips := counted(t, server)
	s := &site{t: t, server: server, conn: server.Conn(t), dashboard: dashboard}
	web.LookEvery(dashboard, 5*time.Millisecond)
	web.Share(dashboard, waitLong) // pages use the snapshot of the hub
	var looks atomic.Int64
	web.CountLooks(dashboard, &looks)
	runs(t, dashboard)
	const most = 200
	var listeners []*listener
	url := s.listen()
	for range most {
		l := listenTo(t, url+"/events")
		l.until("queues")
		listeners = append(listeners, l)
	}
	assert.Equal(t, most, web.Streams(dashboard))
	looked := looks.Load()
	begun := trips.Load()
	require.Eventually(t, func() bool { return looks.Load() > looked+20 }, waitLong, tick)
	assert.LessOrEqual(t, trips.Load()-begun, 2*(looks.Load()-looked+2))
	s.do("SADD", "resque:queues", "another")
	for _, l := range listeners {
		l.until("queues")
	}
	for _, l := range listeners {
		_ = l.res.Body.Close()
	}
	require.Eventually(t, func() bool { return web.Streams(dashboard) == 0 }, waitLong, tick)
}

// gzipped is middleware that compresses answers, as applications use it.
func gzipped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		next.ServeHTTP(&gzipWriter{w, z}, r)
	})
}

type gzipWriter struct {
	http.ResponseWriter
	z *gzip.Writer
}

func (w *gzipWriter) Write(b []byte) (int, error) { return w.z.Write(b) }
func (w *gzipWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w *gzipWriter) Flush() {
	_ = w.z.Flush()
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// A server with short time limits, and middleware that compresses, do not stop a stream.
func TestEventsBehindMiddlewareAndTimeLimits(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	web.LookEvery(s.dashboard, 5*time.Millisecond)
	web.Comments(s.dashboard, 150*time.Millisecond)
	runs(t, s.dashboard)
	server := httptest.NewUnstartedServer(gzipped(s.dashboard))
	server.Config.ReadTimeout, server.Config.WriteTimeout = time.Second, time.Second // a busy machine needs some time to send a request
	server.Start()
	t.Cleanup(server.Close)
	l := listenTo(t, server.URL+"/events")
	l.until("queues")
	for comments := 0; comments < 10; { // longer than the limits
		require.True(t, l.lines.Scan(), "the stream has ended: %v", l.lines.Err())
		if l.lines.Text() == ":" {
			comments++
		}
	}
	s.do("SADD", "resque:queues", "another")
	l.until("queues")
}

// A change appears on an open page without a poll. A failing stream makes the page poll.
func TestBrowserIsLive(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	s := open(t, web.Config{})
	stop := runs(t, s.dashboard)
	url := s.listen()
	tab.Do(browsertest.Navigate(url+"/queues"), browsertest.Becomes(`streams && !stale && !loading`),
		browsertest.Run(`window.mark = 1; every = 3600`))
	s.do("SADD", "resque:queues", "newcomer")
	tab.Do(browsertest.Visible("newcomer"), browsertest.Becomes(`window.mark === 1`))
	stop()
	tab.Do(browsertest.Run(`every = 1`), browsertest.Becomes(`!streams && failures > 1`))
	s.do("SADD", "resque:queues", "latecomer")
	tab.Do(browsertest.Visible("latecomer"), browsertest.Becomes(`window.mark === 1`))
}
