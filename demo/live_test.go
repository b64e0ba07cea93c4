package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/demo/status"
)

// newExport creates an export as a visitor does.
func (f *fixture) newExport(t *testing.T) *Export {
	t.Helper()
	require.Equal(t, http.StatusSeeOther, f.do(t, "POST", "/exports").StatusCode)
	exports, err := f.exports.latest(t.Context(), 1)
	require.NoError(t, err)
	return exports[0]
}

// ask is like do for JSON, but in another goroutine, because the request may wait.
func (f *fixture) ask(t *testing.T, path string, header ...string) <-chan answer {
	t.Helper()
	got := make(chan answer, 1)
	go func() { got <- f.do(t, "GET", path, append(header, "Accept", "application/json")...) }()
	return got
}

func within(t *testing.T, answers <-chan answer) answer {
	t.Helper()
	select {
	case a := <-answers:
		return a
	case <-time.After(patience):
		require.Fail(t, "no answer")
		return answer{}
	}
}

// waits waits until n requests wait for a change.
func (f *fixture) waits(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return f.app.feed.Waiting() == n }, patience, 5*time.Millisecond)
}

// news is what an open page gets.
type news struct {
	Version int64
	IDs     []int64
	Exports []status.JSON
}

func TestLongPoll(t *testing.T) {
	t.Parallel()

	t.Run("answers after a change of its export only", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		e, other := f.newExport(t), f.newExport(t)
		got := f.ask(t, "/exports/1?wait=25&version="+strconv.FormatInt(e.Version, 10))
		f.waits(t, 1)
		all := f.ask(t, "/exports?wait=25&version="+strconv.FormatInt(other.Version, 10))
		f.waits(t, 2)
		_, err := other.Cancel(t.Context())
		require.NoError(t, err)
		within(t, all) // the app has seen the change of the other export
		f.waits(t, 1)
		f.workOff(t)
		var changed status.JSON
		require.NoError(t, json.Unmarshal([]byte(within(t, got).body), &changed))
		assert.Greater(t, changed.Version, e.Version)
	})

	t.Run("answers at once if the version differs", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		f.newExport(t)
		for _, query := range []string{"", "?wait=25", "?wait=25&version=0", "?version=1", "?wait=x&version=1", "?wait=-1&version=1", "?wait=nan&version=1", "?wait=-inf&version=1"} {
			assert.Equal(t, http.StatusOK, within(t, f.ask(t, "/exports/1"+query)).StatusCode, query)
		}
	})

	t.Run("answers with the same version when the time is up", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		e := f.newExport(t)
		for _, path := range []string{"/exports/1", "/exports"} {
			got := within(t, f.ask(t, path+"?wait=0.3&version="+strconv.FormatInt(e.Version, 10)))
			assert.Equal(t, http.StatusOK, got.StatusCode)
			var now struct{ Version int64 }
			require.NoError(t, json.Unmarshal([]byte(got.body), &now))
			assert.Equal(t, e.Version, now.Version)
		}
	})

	t.Run("answers 304 if the ETag is the same", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		f.newExport(t)
		tag := within(t, f.ask(t, "/exports/1")).Header.Get("ETag")
		require.NotEmpty(t, tag)
		got := within(t, f.ask(t, "/exports/1", "If-None-Match", tag))
		assert.Equal(t, http.StatusNotModified, got.StatusCode)
		assert.Empty(t, got.body)
		f.workOff(t)
		assert.Equal(t, http.StatusOK, within(t, f.ask(t, "/exports/1", "If-None-Match", tag)).StatusCode)
	})

	t.Run("stops when the client leaves", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		e := f.newExport(t)
		strict := f.strict(t)
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, "GET", strict.URL+"/exports/1?wait=25&version="+strconv.FormatInt(e.Version, 10), nil)
		require.NoError(t, err)
		req.Header.Set("Accept", "application/json")
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if res, err := http.DefaultTransport.RoundTrip(req); err == nil {
				res.Body.Close()
			}
		}()
		f.waits(t, 1)
		strict.cutsOthers(t)
		cancel()
		<-ended
		f.waits(t, 0)
	})

	t.Run("may last longer than the server's timeouts", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		e := f.newExport(t)
		strict := f.strict(t)
		f.web = strict.Server
		got := f.ask(t, "/exports/1?wait=25&version="+strconv.FormatInt(e.Version, 10))
		f.waits(t, 1)
		strict.cutsOthers(t)
		f.workOff(t)
		assert.Contains(t, within(t, got).body, `"state":"`)
	})

	t.Run("does not spin after a reset", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		for range 5 {
			f.newExport(t)
		}
		within(t, f.ask(t, "/exports/5?wait=0.5&version=5")) // the watcher has seen version 5
		f.reset(t)
		f.newExport(t)
		var looks atomic.Int32
		count := func(tx *gorm.DB) {
			if tx.Statement.Table == "exports" && strings.Contains(tx.Statement.SQL.String(), "id = ") {
				looks.Add(1)
			}
		}
		f.onQuery.Store(&count)
		asked := time.Now()
		within(t, f.ask(t, "/exports/1?wait=0.5&version=1"))
		assert.GreaterOrEqual(t, time.Since(asked), time.Second/2, "it did not wait")
		assert.LessOrEqual(t, looks.Load(), int32(6), "queries without a change")
		assert.NotContains(t, within(t, f.ask(t, "/exports?wait=25&version=5")).body, `"exports":[]`, "want all exports for a version of another database")
	})

	t.Run("answers 404 after the export is deleted", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		e := f.newExport(t)
		got := f.ask(t, "/exports/1?wait=25&version="+strconv.FormatInt(e.Version, 10))
		f.waits(t, 1)
		require.NoError(t, e.Remove(t.Context()))
		assert.Equal(t, http.StatusNotFound, within(t, got).StatusCode)
	})
}

// strict is a server with timeouts that are shorter than a wait. A busy machine needs some time
// to send a request.
type strict struct{ *httptest.Server }

func (f *fixture) strict(t *testing.T) strict {
	t.Helper()
	server := httptest.NewUnstartedServer(f.app)
	server.Config.ReadTimeout, server.Config.WriteTimeout = time.Second, time.Second
	server.Start()
	t.Cleanup(server.Close)
	return strict{server}
}

// cutsOthers waits until the server has cut a new connection. The timeouts of every
// earlier request are over then.
func (s strict) cutsOthers(t *testing.T) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func TestNewsHasOnlyChangedExports(t *testing.T) {
	t.Parallel()
	f := setUp(t, 10, 0)
	first, second := f.newExport(t), f.newExport(t)
	var now news
	hear := func(path string) {
		t.Helper()
		now = news{}
		require.NoError(t, json.Unmarshal([]byte(within(t, f.ask(t, path)).body), &now))
	}
	hear("/exports")
	assert.Equal(t, []int64{2, 1}, now.IDs)
	require.Len(t, now.Exports, 2)
	assert.Equal(t, "2nd in line", now.Exports[0].Message)
	assert.Equal(t, second.Version, now.Version)

	hear("/exports?version=" + strconv.FormatInt(first.Version, 10))
	require.Len(t, now.Exports, 1)
	assert.Equal(t, second.ID, now.Exports[0].ID)

	got := f.ask(t, "/exports?wait=25&id=1&version="+strconv.FormatInt(second.Version, 10))
	f.waits(t, 1)
	require.NoError(t, second.Remove(t.Context()))
	now = news{}
	require.NoError(t, json.Unmarshal([]byte(within(t, got).body), &now))
	assert.Greater(t, now.Version, second.Version, "it did not wait")
	assert.Equal(t, []int64{1}, now.IDs)
	hear("/exports?id=2")
	assert.Empty(t, now.IDs)
}

// stream is an open stream of events.
type stream struct {
	*http.Response
	lines *bufio.Scanner
}

func (f *fixture) stream(t *testing.T, query string, header ...string) *stream {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", f.web.URL+"/exports/events"+query, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	t.Cleanup(func() { res.Body.Close() })
	return &stream{res, bufio.NewScanner(res.Body)}
}

// next returns the id and the news of the next event.
func (s *stream) next(t *testing.T) (id string, now news) {
	t.Helper()
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "data":
			require.NoError(t, json.Unmarshal([]byte(value), &now))
			return id, now
		}
	}
	require.Fail(t, "the stream has ended")
	return "", now
}

func TestStream(t *testing.T) {
	t.Parallel()

	t.Run("sends all exports, then changes", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		f.newExport(t)
		s := f.stream(t, "")
		assert.Equal(t, "text/event-stream", s.Header.Get("Content-Type"))
		assert.Equal(t, "no", s.Header.Get("X-Accel-Buffering"))
		require.True(t, s.lines.Scan())
		assert.Equal(t, "retry: 2000", s.lines.Text())
		id, now := s.next(t)
		require.Len(t, now.Exports, 1)
		assert.Equal(t, record.Queued, now.Exports[0].State)
		assert.Equal(t, strconv.FormatInt(now.Version, 10), id)
		f.workOff(t)
		for now.Exports[0].State != record.Ready {
			_, now = s.next(t)
		}
		e, err := f.exports.find(t.Context(), 1)
		require.NoError(t, err)
		require.NoError(t, e.Remove(t.Context()))
		_, now = s.next(t)
		assert.Empty(t, now.IDs, "after the export was deleted")
	})

	t.Run("ends at once for HEAD", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		head := f.do(t, "HEAD", "/exports/events?version=0")
		assert.Equal(t, "text/event-stream", head.Header.Get("Content-Type"))
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", f.web.URL+"/exports", nil)
		require.NoError(t, err)
		resp, err := f.http.Do(req) // on the same connection, most likely
		require.NoError(t, err)
		resp.Body.Close()
		assert.Zero(t, f.app.feed.Waiting())
	})

	t.Run("continues after Last-Event-ID", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		f.newExport(t)
		broken := f.stream(t, "?version=0")
		id, _ := broken.next(t)
		broken.Body.Close()
		f.newExport(t)
		_, now := f.stream(t, "?version=0", "Last-Event-ID", id).next(t)
		require.Len(t, now.Exports, 1)
		assert.EqualValues(t, 2, now.Exports[0].ID)
	})

	t.Run("sends all exports after a reset", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		f.newExport(t)
		f.newExport(t)
		open := f.stream(t, "")
		id, _ := open.next(t)
		f.reset(t)
		for name, s := range map[string]*stream{"open": open, "new": f.stream(t, "?version="+id), "again": f.stream(t, "", "Last-Event-ID", id)} {
			id, now := s.next(t)
			assert.Equal(t, "0", id, name)
			assert.Empty(t, now.IDs, name)
		}
		f.newExport(t)
		id, now := open.next(t)
		assert.Equal(t, "1", id)
		require.Len(t, now.Exports, 1)
		f.newExport(t)
		id, _ = open.next(t)
		assert.Equal(t, "2", id)
	})

	t.Run("ends with the web app", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		ctx, cancel := context.WithCancel(t.Context())
		app, err := newWebApp(f.exports.db, f.client, f.cfg)
		require.NoError(t, err)
		f.web = httptest.NewServer(app)
		t.Cleanup(f.web.Close)
		ended := make(chan error, 1)
		go func() { ended <- app.run(ctx) }()
		s := f.stream(t, "?version=0")
		require.True(t, s.lines.Scan())
		cancel()
		require.NoError(t, <-ended)
		for s.lines.Scan() {
			require.Empty(t, s.lines.Text())
		}
		require.NoError(t, s.lines.Err(), "the stream broke")
	})
}
