package demo

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/demo/status"
	"github.com/goresque/goresque/resque/embedded"
)

const wantFlash = "Your export is being created, please wait."

func TestExportIsCreatedBuiltAndDownloaded(t *testing.T) {
	t.Parallel()
	f := setUp(t, 1000, 0.8)
	assert.Contains(t, f.do(t, "GET", "/exports").body, "No exports yet.")

	created := f.do(t, "POST", "/exports") // with an empty body
	require.Equal(t, http.StatusSeeOther, created.StatusCode)
	require.Equal(t, "/exports", created.Header.Get("Location"))
	assert.Equal(t, record.Queued, f.json(t, "/exports/1").State)

	first, second := f.do(t, "GET", "/exports").body, f.do(t, "GET", "/exports").body
	assert.Contains(t, first, `role="status" aria-atomic="false"><div id="told"><p class="flash">`+wantFlash+`</p>`)
	assert.NotContains(t, second, wantFlash, "the second page shows the flash again")
	for _, want := range []string{"icon spinner", "1st in line", `<noscript><meta http-equiv="refresh"`, "app.js", "You can leave this page:"} {
		assert.Contains(t, second, want)
	}
	assert.Equal(t, http.StatusConflict, f.do(t, "GET", "/exports/1/download").StatusCode)

	f.work(t)
	var seen []status.JSON
	require.Eventually(t, func() bool {
		seen = append(seen, f.json(t, "/exports/1"))
		return seen[len(seen)-1].Complete
	}, patience, 5*time.Millisecond)
	partly := func(e status.JSON) bool {
		return e.State == record.Building && e.Progress.Done > 0 && e.Progress.Done < 1000
	}
	assert.True(t, contains(seen, partly), "no answer had partial progress")
	last := seen[len(seen)-1]
	assert.Equal(t, record.Ready, last.State)
	assert.Equal(t, status.Progress{Done: 1000, Total: 1000}, last.Progress)
	require.NotNil(t, last.DownloadURL)
	assert.Equal(t, "/exports/1/download", *last.DownloadURL)
	assert.Nil(t, last.Error)

	done := f.do(t, "GET", "/exports").body
	assert.Contains(t, done, "Download CSV")
	for _, gone := range []string{"icon spinner", "http-equiv", "You can leave this page:"} {
		assert.NotContains(t, done, gone)
	}
	file := f.do(t, "GET", "/exports/1/download")
	assert.Equal(t, wantCSV(1000), file.body)
	assert.Equal(t, "text/csv; charset=utf-8", file.Header.Get("Content-Type"))
	assert.Equal(t, `attachment; filename="export-1.csv"; filename*=UTF-8''Customers%20%E2%80%93%20export%201.csv`, file.Header.Get("Content-Disposition"))
	assert.Equal(t, http.StatusNotModified, f.do(t, "GET", "/exports/1/download", "If-None-Match", file.Header.Get("ETag")).StatusCode)
	assert.Empty(t, f.failures(t))
}

func contains(all []status.JSON, is func(status.JSON) bool) bool {
	for _, e := range all {
		if is(e) {
			return true
		}
	}
	return false
}

func TestJSONHasTheDocumentedFields(t *testing.T) {
	t.Parallel()
	f := setUp(t, 10, 0)
	f.do(t, "POST", "/exports")
	got := f.do(t, "GET", "/exports/1", "Accept", "application/json")
	assert.Equal(t, "application/json", got.Header.Get("Content-Type"))
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(got.body), &fields))
	assert.InEpsilon(t, 1, fields["id"], 0)
	assert.Equal(t, false, fields["complete"])
	assert.Equal(t, "/exports/1", fields["url"])
	assert.Equal(t, "queued", fields["state"])
	assert.Equal(t, map[string]any{"done": 0.0, "total": 10.0}, fields["progress"])
	assert.InEpsilon(t, 1, fields["version"], 0)
	for _, name := range []string{"created_at", "updated_at", "message", "download_url", "error", "bytes", "sha256", "expires_at"} {
		assert.Contains(t, fields, name)
	}
}

func TestMissingPagesAreErrorPagesAndJSON(t *testing.T) {
	t.Parallel()
	f := setUp(t, 10, 0)
	for _, path := range []string{
		"/exports/999", "/exports/0", "/exports/-1", "/exports/seven", "/exports/99999999999999999999", "/exports/1%2F2",
		"/exports/999/download", "/exports/x/download", "/nowhere", "/static/nothing.css",
	} {
		page := f.do(t, "GET", path, "Accept", "text/html,*/*")
		assert.Equal(t, http.StatusNotFound, page.StatusCode, path)
		assert.Contains(t, page.body, "<h1>", path)

		data := f.do(t, "GET", path, "Accept", "application/json")
		assert.Equal(t, http.StatusNotFound, data.StatusCode, path)
		var said struct{ Error string }
		require.NoError(t, json.Unmarshal([]byte(data.body), &said), path)
		assert.NotEmpty(t, said.Error, path)
	}
	assert.Equal(t, http.StatusNotFound, f.do(t, "POST", "/exports/999/retry").StatusCode)
}

func TestOtherMethodsAreNotAllowed(t *testing.T) {
	t.Parallel()
	f := setUp(t, 10, 0)
	got := f.do(t, "DELETE", "/exports")
	assert.Equal(t, http.StatusMethodNotAllowed, got.StatusCode)
	assert.Equal(t, []string{"GET", "POST"}, got.Header.Values("Allow"))
	assert.Equal(t, http.StatusMethodNotAllowed, f.do(t, "GET", "/exports/1/retry").StatusCode)
	assert.Equal(t, http.StatusOK, f.do(t, "HEAD", "/exports").StatusCode)
}

func TestPostsFromOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	f := setUp(t, 10, 0)
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Origin", "https://evil.example"},
	} {
		got := f.do(t, "POST", "/exports", header...)
		assert.Equal(t, http.StatusForbidden, got.StatusCode, header)
		assert.Contains(t, got.body, "another site")
	}
	assert.Equal(t, http.StatusNotFound, f.do(t, "GET", "/exports/1").StatusCode, "an export was stored")
	assert.Equal(t, http.StatusSeeOther, f.do(t, "POST", "/exports", "Sec-Fetch-Site", "same-origin").StatusCode)
}

func TestAnswersSetSecurityHeaders(t *testing.T) {
	t.Parallel()
	f := setUp(t, 10, 0)
	f.do(t, "POST", "/exports")
	inline := regexp.MustCompile(`(?i)<style|<script>|\son[a-z]+=|\sstyle=`)
	for _, path := range []string{"/exports", "/exports/1", "/exports/2", "/static/app.css"} {
		got := f.do(t, "GET", path)
		assert.Equal(t, "nosniff", got.Header.Get("X-Content-Type-Options"), path)
		policy := got.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			assert.Contains(t, policy, want, path)
		}
		assert.NotContains(t, policy, "unsafe", path)
		assert.NotRegexp(t, inline, strings.ReplaceAll(got.body, "content=", ""), path)
	}
	css := f.do(t, "GET", "/static/app.css")
	assert.Equal(t, http.StatusNotModified, f.do(t, "GET", "/static/app.css", "If-None-Match", css.Header.Get("ETag")).StatusCode)
}

func TestExportIsBuiltWhenRedisIsBack(t *testing.T) {
	t.Parallel()
	f := setUp(t, 10, 0)
	addr := f.redis.Addr()
	f.redis.Close()
	f.away = true

	require.Equal(t, http.StatusSeeOther, f.do(t, "POST", "/exports").StatusCode)
	assert.Contains(t, f.do(t, "GET", "/exports").body, wantFlash)
	assert.Equal(t, record.Queued, f.json(t, "/exports/1").State)
	assert.Equal(t, "1st in line", f.json(t, "/exports/1").Message)
	require.Equal(t, http.StatusSeeOther, f.do(t, "POST", "/exports").StatusCode)
	f.do(t, "POST", "/exports/2/delete")
	stored, err := f.exports.stored(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[int64]bool{1: true}, stored)

	f.redis, err = embedded.Start(addr)
	require.NoError(t, err)
	f.away = false
	f.relayed(t)
	f.workOff(t)
	assert.Equal(t, record.Ready, f.json(t, "/exports/1").State)
	processed, err := f.client.Stat(t.Context(), "processed")
	require.NoError(t, err)
	assert.EqualValues(t, 1, processed)
}

func TestTwoRetriesAreOneJob(t *testing.T) {
	t.Parallel()
	f := setUp(t, 10, 0)
	f.newExport(t)
	f.do(t, "POST", "/exports/1/cancel")
	for range 2 {
		assert.Equal(t, http.StatusSeeOther, f.do(t, "POST", "/exports/1/retry").StatusCode)
	}
	size, err := f.client.Size(t.Context(), "exports")
	require.NoError(t, err)
	assert.EqualValues(t, 1, size)
}

func TestFailedJobsAreRecorded(t *testing.T) {
	t.Parallel()

	t.Run("an export that does not exist", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		_, err := f.client.Enqueue(t.Context(), Exporter.Job(4711))
		require.NoError(t, err)
		f.workOff(t)
		failures := f.failures(t)
		require.Len(t, failures, 1)
		assert.Equal(t, "ActiveRecord::RecordNotFound", failures[0]["exception"])
		assert.Contains(t, failures[0]["error"], "4711")
	})

	t.Run("an id that is not a number", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		job := Exporter.Job(0)
		job.Args = []any{"seven"}
		_, err := f.client.Enqueue(t.Context(), job)
		require.NoError(t, err)
		f.workOff(t)
		failures := f.failures(t)
		require.Len(t, failures, 1)
		assert.Contains(t, failures[0]["error"], `"seven"`)
	})

	t.Run("a computation that fails", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		require.NoError(t, f.exports.db.Exec("CREATE TRIGGER full BEFORE INSERT ON chunks BEGIN SELECT RAISE(ABORT, 'disk is full'); END").Error)
		f.do(t, "POST", "/exports")
		f.workOff(t)
		failures := f.failures(t)
		require.Len(t, failures, 1)
		assert.Contains(t, failures[0]["error"], "export 1: ")
		page := f.do(t, "GET", "/exports").body
		assert.Contains(t, page, "disk is full")
		assert.Contains(t, page, "Try again")
	})
}

func TestInvalidAndLargeFormsAreRefused(t *testing.T) {
	t.Parallel()
	f := setUp(t, 10, 0)
	send := func(method, path, kind, body string) int {
		req, err := http.NewRequestWithContext(t.Context(), method, f.web.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", kind)
		resp, err := f.http.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		return resp.StatusCode
	}
	const form = "application/x-www-form-urlencoded"
	huge := strings.Repeat("a", 1<<20)
	for _, path := range []string{"/exports", "/problem"} {
		assert.Equal(t, http.StatusRequestEntityTooLarge, send("POST", path, form, "x="+huge), path)
		assert.Equal(t, http.StatusBadRequest, send("POST", path, form, "x=%zz"), path)
		assert.Equal(t, http.StatusBadRequest, send("POST", path, "multipart/form-data", "x"), path)
	}
	exports, err := f.exports.latest(t.Context(), 1)
	require.NoError(t, err)
	assert.Empty(t, exports, "an invalid form created an export")
	assert.Equal(t, http.StatusSeeOther, send("POST", "/exports", "application/json", `{"any":"thing"}`))
	assert.Equal(t, http.StatusSeeOther, send("POST", "/exports", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nx\r\n--b--\r\n"))

	upload := "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n" + huge + "\r\n--b--\r\n"
	body := strings.NewReader(upload)
	req := httptest.NewRequest(http.MethodGet, "/exports?live=off", body)
	req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	f.app.ServeHTTP(httptest.NewRecorder(), req)
	assert.Greater(t, body.Len(), 1<<19, "GET read the whole body")
}
