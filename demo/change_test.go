package demo

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/record"
)

// overtaken is the error of a run that was overtaken.
const overtaken = "another worker has started it again"

func TestSameFormTwiceIsOneExport(t *testing.T) {
	t.Parallel()
	f := setUp(t, 10, 0)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), "POST", f.web.URL+"/exports", strings.NewReader(url.Values{"token": {"abc"}}.Encode()))
			assert.NoError(t, err)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			res, err := f.http.Do(req)
			if assert.NoError(t, err) {
				assert.Equal(t, http.StatusSeeOther, res.StatusCode)
				res.Body.Close()
			}
		})
	}
	all.Wait()
	f.relayed(t)
	size, err := f.client.Size(t.Context(), "exports")
	require.NoError(t, err)
	assert.EqualValues(t, 1, size)
	exports, err := f.exports.latest(t.Context(), 10)
	require.NoError(t, err)
	assert.Len(t, exports, 1)

	first := f.do(t, "POST", "/exports", "Idempotency-Key", "k", "Accept", "application/json")
	again := f.do(t, "POST", "/exports", "Idempotency-Key", "k", "Accept", "application/json")
	assert.Equal(t, first.Header.Get("Location"), again.Header.Get("Location"))
	assert.Equal(t, http.StatusBadRequest, f.do(t, "POST", "/exports", "Idempotency-Key", strings.Repeat("k", 101)).StatusCode)
	a, b := f.do(t, "GET", "/exports").body, f.do(t, "GET", "/exports").body
	assert.NotEqual(t, a, b, "two forms have the same token")
}

func TestAPIAnswersWithStatusAndExport(t *testing.T) {
	t.Parallel()
	f := setUp(t, 10, 0)
	post := func(path string) answer { return f.do(t, "POST", path, "Accept", "application/json") }
	created := post("/exports")
	assert.Equal(t, http.StatusAccepted, created.StatusCode)
	assert.Equal(t, "/exports/1", created.Header.Get("Location"))
	assert.Equal(t, "1", created.Header.Get("Retry-After"))
	assert.Contains(t, created.body, `"state":"queued"`)

	canceled := post("/exports/1/cancel")
	assert.Equal(t, http.StatusOK, canceled.StatusCode)
	assert.Contains(t, canceled.body, `"complete":true`)
	assert.Contains(t, canceled.body, `"state":"canceled"`)
	assert.Equal(t, http.StatusAccepted, post("/exports/1/retry").StatusCode)
	assert.Equal(t, http.StatusOK, post("/exports/1/retry").StatusCode, "retry of a queued export")

	conflict := f.do(t, "GET", "/exports/1/download", "Accept", "application/json")
	assert.Equal(t, http.StatusConflict, conflict.StatusCode)
	assert.Contains(t, conflict.body, `"url":"/exports/1"`)
	assert.Equal(t, http.StatusNoContent, post("/exports/1/delete").StatusCode)
	assert.Equal(t, http.StatusNotFound, post("/exports/1/delete").StatusCode)
}

func TestCancel(t *testing.T) {
	t.Parallel()

	t.Run("removes the job of a queued export", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		f.newExport(t)
		require.Equal(t, http.StatusSeeOther, f.do(t, "POST", "/exports/1/cancel").StatusCode)
		size, err := f.client.Size(t.Context(), "exports")
		require.NoError(t, err)
		assert.Zero(t, size)
		assert.Equal(t, record.Canceled, f.json(t, "/exports/1").State)
		assert.Contains(t, f.do(t, "GET", "/exports").body, "Create again")
	})

	t.Run("ends the job of a building export without an error", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 100, 3600)
		f.newExport(t)
		f.work(t)
		require.Eventually(t, func() bool { return f.json(t, "/exports/1").State == record.Building }, patience, 5*time.Millisecond)
		f.do(t, "POST", "/exports/1/cancel")
		f.settled(t)
		assert.Equal(t, record.Canceled, f.json(t, "/exports/1").State)
		assert.Empty(t, f.failures(t))
		assert.Zero(t, f.pieces(t))
	})

	t.Run("makes a job that stays in the queue do nothing", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		e := f.newExport(t)
		_, err := e.Cancel(t.Context())
		require.NoError(t, err)
		f.workOff(t)
		assert.Equal(t, record.Canceled, f.json(t, "/exports/1").State)
		assert.Empty(t, f.failures(t))
	})

	t.Run("changes nothing after the export is ready", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		stale := f.newExport(t)
		f.workOff(t)
		ok, err := stale.Cancel(t.Context())
		require.NoError(t, err)
		assert.False(t, ok)
		assert.Equal(t, http.StatusSeeOther, f.do(t, "POST", "/exports/1/cancel").StatusCode)
		assert.Equal(t, wantCSV(10), f.do(t, "GET", "/exports/1/download").body)
	})

	t.Run("followed by retry ends the old run", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 100, 0)
		f.newExport(t)
		old, err := f.exports.find(t.Context(), 1)
		require.NoError(t, err)
		goOn := begin(t, old)
		f.do(t, "POST", "/exports/1/cancel")
		f.do(t, "POST", "/exports/1/retry")
		require.ErrorContains(t, goOn(), overtaken)
		f.workOff(t)
		assert.Equal(t, wantCSV(100), f.do(t, "GET", "/exports/1/download").body)
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()

	t.Run("deletes the file", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		f.newExport(t)
		f.workOff(t)
		require.NotZero(t, f.pieces(t))
		assert.Equal(t, http.StatusSeeOther, f.do(t, "POST", "/exports/1/delete").StatusCode)
		assert.Zero(t, f.pieces(t))
		assert.Equal(t, http.StatusNotFound, f.do(t, "GET", "/exports/1").StatusCode)
	})

	t.Run("removes the job", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		f.newExport(t)
		f.do(t, "POST", "/exports/1/delete")
		f.workOff(t)
		assert.Empty(t, f.failures(t))
	})

	t.Run("ends the job of a building export without an error", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 100, 3600)
		f.newExport(t)
		f.work(t)
		require.Eventually(t, func() bool { return f.json(t, "/exports/1").State == record.Building }, patience, 5*time.Millisecond)
		f.do(t, "POST", "/exports/1/delete")
		f.settled(t)
		assert.Empty(t, f.failures(t))
		assert.Zero(t, f.pieces(t))
	})
}

func TestFileExpiresAfterADay(t *testing.T) {
	t.Parallel()
	f := setUp(t, 10, 0)
	f.newExport(t)
	f.workOff(t)
	e, err := f.exports.find(t.Context(), 1)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(24*time.Hour), *e.ExpiresAt, time.Minute)
	require.NoError(t, f.exports.db.Model(e).Update("expires_at", time.Now().Add(-time.Second)).Error)

	gone := f.do(t, "GET", "/exports/1/download")
	assert.Equal(t, http.StatusGone, gone.StatusCode, "before it is swept")
	assert.Contains(t, gone.body, `action="/exports/1/retry"`)
	require.Eventually(t, func() bool { return f.json(t, "/exports/1").State == record.Expired }, patience, 20*time.Millisecond)
	assert.Zero(t, f.pieces(t))
	assert.Equal(t, http.StatusGone, f.do(t, "GET", "/exports/1/download").StatusCode)

	f.do(t, "POST", "/exports/1/retry")
	f.workOff(t)
	assert.Equal(t, wantCSV(10), f.do(t, "GET", "/exports/1/download").body)
}

func TestDownloadSupportsRanges(t *testing.T) {
	t.Parallel()
	f := setUp(t, 3000, 0)
	f.newExport(t)
	f.workOff(t)
	want := wantCSV(3000)
	require.Greater(t, f.pieces(t), 5)
	whole := f.do(t, "GET", "/exports/1/download")
	require.Equal(t, want, whole.body)
	assert.Equal(t, strconv.Itoa(len(want)), whole.Header.Get("Content-Length"))
	assert.Equal(t, "nosniff", whole.Header.Get("X-Content-Type-Options"))
	n := len(want)
	for header, part := range map[string]string{
		"bytes=0-9": want[:10], "bytes=100000-": want[100000:], "bytes=-7": want[n-7:], "bytes=5000-90000": want[5000:90001],
	} {
		got := f.do(t, "GET", "/exports/1/download", "Range", header, "If-Range", whole.Header.Get("ETag"))
		assert.Equal(t, http.StatusPartialContent, got.StatusCode, header)
		assert.True(t, part == got.body, header)
	}
	assert.Equal(t, http.StatusRequestedRangeNotSatisfiable, f.do(t, "GET", "/exports/1/download", "Range", "bytes=9999999-").StatusCode)
	stale := f.do(t, "GET", "/exports/1/download", "Range", "bytes=0-9", "If-Range", `"another"`)
	assert.Equal(t, http.StatusOK, stale.StatusCode, "If-Range names another file")
	head := f.do(t, "HEAD", "/exports/1/download")
	assert.Equal(t, strconv.Itoa(n), head.Header.Get("Content-Length"))
	assert.Empty(t, head.body)
}

func TestDownloadFailsWhenTheFileIsBuiltAgain(t *testing.T) {
	t.Parallel()
	f := setUp(t, 3000, 0)
	f.newExport(t)
	f.workOff(t)
	e, err := f.exports.find(t.Context(), 1)
	require.NoError(t, err)
	download := e.Open(t.Context(), func() {})
	_, err = download.Read(make([]byte, 10))
	require.NoError(t, err)
	again, err := f.exports.find(t.Context(), 1)
	require.NoError(t, err)
	require.NoError(t, again.PerformLengthyComputation(t.Context()))
	_, err = io.ReadAll(download)
	require.ErrorIs(t, err, record.ErrFileGone)
}

func TestLostExports(t *testing.T) {
	t.Parallel()
	// running writes the record of a worker that performs the export's job. A killed
	// worker leaves such a record.
	running := func(t *testing.T, f *fixture) {
		t.Helper()
		c, err := f.client.Redis().Conn(t.Context())
		require.NoError(t, err)
		defer c.Close()
		const worker = "host~go:1:exports"
		key := f.client.Redis().Key
		for _, command := range [][]any{
			{"DEL", key("queue:exports")},
			{"SADD", key("workers"), worker},
			{"SET", key("worker:" + worker), `{"queue":"exports","run_at":"2026-01-01T00:00:00Z","payload":{"class":"Exporter","args":[1]}}`},
			{"HSET", key("workers:heartbeat"), worker, time.Now().UTC().Format(time.RFC3339)},
		} {
			_, err := c.Do(command[0].(string), command[1:]...)
			require.NoError(t, err)
		}
	}

	t.Run("fail when the worker was killed", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		e := f.newExport(t)
		goOn := begin(t, e)
		running(t, f)
		require.Eventually(t, func() bool { return f.json(t, "/exports/1").State == record.Failed }, patience, 50*time.Millisecond)
		assert.Contains(t, *f.json(t, "/exports/1").Error, "killed")
		require.ErrorContains(t, goOn(), overtaken)
		f.do(t, "POST", "/exports/1/retry")
		f.workOff(t)
		assert.Equal(t, wantCSV(10), f.do(t, "GET", "/exports/1/download").body)
	})

	t.Run("are not those whose run reports or whose job waits", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 4)
		f.newExport(t)
		f.newExport(t)
		f.work(t)
		require.Eventually(t, func() bool { return f.json(t, "/exports/2").State == record.Ready }, patience, 50*time.Millisecond)
		assert.Equal(t, record.Ready, f.json(t, "/exports/1").State)
	})

	t.Run("fail when the job does not exist", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		e := f.newExport(t)
		f.newExport(t)
		_, _, err := f.client.RemoveQueue(t.Context(), "exports")
		require.NoError(t, err)
		begin(t, e)
		require.Eventually(t, func() bool {
			return f.json(t, "/exports/1").State == record.Failed && f.json(t, "/exports/2").State == record.Failed
		}, patience, 50*time.Millisecond)
		assert.Contains(t, f.json(t, "/exports/2").Message, "no longer in the queue")
	})

	t.Run("are queued when their worker returned the job", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		e := f.newExport(t)
		begin(t, e) // its job is in the queue
		require.Eventually(t, func() bool { return f.json(t, "/exports/1").State == record.Queued }, patience, 50*time.Millisecond)
		f.workOff(t)
		assert.Equal(t, record.Ready, f.json(t, "/exports/1").State)
	})
}

func TestPageShowsThatNoWorkerServesTheQueue(t *testing.T) {
	t.Parallel()
	const hint = "No worker is serving the queue"
	f := setUp(t, 10, 0)
	assert.Contains(t, f.do(t, "GET", "/exports").body, hint)
	f.work(t)
	require.Eventually(t, func() bool { return !strings.Contains(f.do(t, "GET", "/exports").body, hint) }, patience, 50*time.Millisecond)

	away := setUp(t, 10, 0)
	away.redis.Close()
	away.away = true
	page := away.do(t, "GET", "/exports")
	assert.Equal(t, http.StatusOK, page.StatusCode, "without Redis")
	assert.NotContains(t, page.body, hint, "without Redis")
}

// settled waits until a job has ended.
func (f *fixture) settled(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		n, err := f.client.Stat(context.WithoutCancel(t.Context()), "processed")
		return err == nil && n == 1
	}, patience, 5*time.Millisecond)
}

func (f *fixture) pieces(t *testing.T) int {
	t.Helper()
	return count(t, f.exports, "chunks")
}

// count returns the number of rows in a table.
func count(t *testing.T, x exports, table string) int {
	t.Helper()
	var n int64
	require.NoError(t, x.db.Table(table).Count(&n).Error)
	return int(n)
}
