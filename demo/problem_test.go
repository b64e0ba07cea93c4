package demo

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/problem"
	"github.com/goresque/goresque/demo/words"
)

// onForm is the Accept header of a browser.
const onForm = "text/html,*/*;q=0.8"

// inside requests an export inside the request.
func (f *fixture) inside(t *testing.T, query, accept string) answer {
	t.Helper()
	return f.do(t, "POST", "/problem?"+query, "Accept", accept)
}

// latest returns the newest attempt.
func (f *fixture) latest(t *testing.T) problem.Attempt {
	t.Helper()
	all := f.app.problem.Look()
	require.NotEmpty(t, all)
	return all[0]
}

// counters returns the page's numbers of requests that wait and of jobs that run for
// no visitor.
func (f *fixture) counters(t *testing.T) (waits, burns string) {
	t.Helper()
	found := regexp.MustCompile(`<strong>(\d+)</strong> requests? waits?[^§]*<strong>(\d+)</strong> jobs? runs?`).
		FindStringSubmatch(f.do(t, "GET", "/problem").body)
	require.NotNil(t, found)
	return found[1], found[2]
}

func TestProblemIsCutOff(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 2000, seconds: 8, cutAfter: 500 * time.Millisecond})
	got := f.inside(t, "", onForm)
	require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	assert.Equal(t, "text/html; charset=utf-8", got.Header.Get("Content-Type"))
	assert.NotContains(t, got.body, "id,name,email", "the 503 has a part of the file")
	said := regexp.MustCompile(`The request was stopped after (\d+\.\d\d) s\. The server had written ([\d,]+) of 2,000 rows, now wasted\.`).FindStringSubmatch(got.body)
	require.NotNil(t, said, got.body)

	a := f.latest(t)
	after, err := strconv.ParseFloat(said[1], 64)
	require.NoError(t, err)
	assert.InDelta(t, a.Answered.Sub(a.Asked).Seconds(), after, 0.006)
	assert.GreaterOrEqual(t, after, 0.5)
	assert.Equal(t, words.Thousands(a.Wasted), said[2])
	assert.Positive(t, a.Wasted)
	// The job writes 250 rows a second.
	assert.LessOrEqual(t, a.Wasted, int(250*a.Answered.Sub(a.Asked).Seconds())+1)
	assert.False(t, a.Ended.IsZero(), "the job still runs")
	assert.ErrorIs(t, a.Err, context.DeadlineExceeded)
	assert.LessOrEqual(t, a.Rows-a.Wasted, 1, "rows after the answer")

	for _, want := range []string{"No worker has built an export yet", "Do it in the background instead", `action="/exports"`, `name="token"`, "The job checks its context"} {
		assert.Contains(t, got.body, want)
	}
	waits, burns := f.counters(t)
	assert.Equal(t, "0 0", waits+" "+burns)
	assert.Contains(t, f.do(t, "GET", "/exports").body, "No exports yet.")
}

func TestJobThatStopsDoesNotFinishItsRow(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 1, seconds: 10, cutAfter: 200 * time.Millisecond})
	require.Equal(t, http.StatusServiceUnavailable, f.inside(t, "", onForm).StatusCode)
	a := f.latest(t)
	assert.Zero(t, a.Rows)
}

func TestProblemAnswersJSON(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 100, seconds: 5, cutAfter: 200 * time.Millisecond})
	got := f.inside(t, "", "application/json")
	require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	assert.Equal(t, "application/json", got.Header.Get("Content-Type"))
	var said map[string]any
	require.NoError(t, json.Unmarshal([]byte(got.body), &said))
	a := f.latest(t)
	assert.Equal(t, map[string]any{
		"error": a.Text(), "seconds": 5.0, "stopped_after": a.Answered.Sub(a.Asked).Seconds(), "burning": false,
		"progress": map[string]any{"done": float64(a.Wasted), "total": 100.0}, "instead": "/exports",
	}, said)
}

func TestShortExportInTheRequestIsAnswered(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 500, seconds: 8, cutAfter: patience})
	for _, way := range []string{"stops", "stubborn"} {
		got := f.inside(t, "seconds=0.01&way="+way, onForm)
		require.Equal(t, http.StatusOK, got.StatusCode, way)
		assert.Equal(t, wantCSV(500), got.body, way)
		assert.Equal(t, "text/csv; charset=utf-8", got.Header.Get("Content-Type"))
	}
	page := f.do(t, "GET", "/problem").body
	assert.Equal(t, 2, strings.Count(page, "The answer is 200 and the complete file, 500 rows"))
}

func TestStubbornJobRunsAfterTheAnswer(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 1000, seconds: 8, cutAfter: 200 * time.Millisecond})
	got := f.inside(t, "way=stubborn&seconds=3", onForm)
	require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	assert.Contains(t, got.body, "The job ignores this and still runs")
	assert.Contains(t, got.body, "The job still runs, ")
	first := f.latest(t)
	assert.True(t, first.Burns())
	waits, burns := f.counters(t)
	assert.Equal(t, "0 1", waits+" "+burns)
	assert.Contains(t, f.do(t, "GET", "/problem").body, `<noscript><meta http-equiv="refresh"`)

	require.Eventually(t, func() bool { return f.latest(t).Rows > first.Wasted+100 }, patience, 10*time.Millisecond, "the job writes no more rows")
	<-first.Done()
	last := f.latest(t)
	assert.Equal(t, 1000, last.Rows)
	assert.Equal(t, first.Wasted, last.Wasted)
	assert.GreaterOrEqual(t, last.Ended.Sub(last.Asked), 3*time.Second)
	require.ErrorIs(t, last.Err, http.ErrHandlerTimeout)
	page := f.do(t, "GET", "/problem").body
	assert.Contains(t, page, "with an error: “http: Handler timeout”. It wrote "+words.Thousands(1000-last.Wasted)+" more rows, for no visitor.")
	assert.NotContains(t, page, "http-equiv", "the page still reloads")
}

func TestProblemIsBounded(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 10, seconds: 100, cutAfter: 50 * time.Millisecond})
	for range problem.MostStubborn {
		require.Equal(t, http.StatusServiceUnavailable, f.inside(t, "way=stubborn", onForm).StatusCode)
	}
	got := f.inside(t, "way=stubborn", onForm)
	assert.Equal(t, http.StatusTooManyRequests, got.StatusCode)
	assert.Contains(t, got.body, "2 that go on after the answer")
	assert.Equal(t, http.StatusServiceUnavailable, f.inside(t, "way=stops", onForm).StatusCode)
	assert.Len(t, f.app.problem.Look(), 3, "the refused attempt was started")
}

func TestProblemCountsWaitingVisitors(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 100, seconds: 10, cutAfter: patience})
	ctx, leave := context.WithCancel(t.Context())
	var visitors sync.WaitGroup
	for _, way := range []string{"stops", "stops", "stubborn"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.web.URL+"/problem?way="+way, nil)
		require.NoError(t, err)
		visitors.Go(func() {
			resp, err := f.http.Do(req)
			if assert.ErrorIs(t, err, context.Canceled) {
				return
			}
			resp.Body.Close()
		})
	}
	require.Eventually(t, func() bool { waits, _ := f.counters(t); return waits == "3" }, patience, 10*time.Millisecond)
	page := f.do(t, "GET", "/problem").body
	assert.Equal(t, 3, strings.Count(page, "#person"), "want a picture for each visitor")
	assert.Contains(t, page, "The visitor waits: ")

	leave()
	visitors.Wait()
	require.Eventually(t, func() bool { waits, burns := f.counters(t); return waits == "0" && burns == "1" }, patience, 10*time.Millisecond)
	for _, a := range f.app.problem.Look() {
		if !a.Stubborn() {
			<-a.Done() // it stops because its visitor left
		}
	}
	for _, a := range f.app.problem.Look() {
		assert.True(t, a.Left)
		assert.Less(t, a.Rows, 100)
		if a.Stubborn() {
			assert.True(t, a.Burns(), "the stubborn job has stopped")
			continue
		}
		assert.ErrorIs(t, a.Err, context.Canceled)
	}
	assert.Equal(t, 2, strings.Count(f.do(t, "GET", "/problem").body, "The visitor leaves. The job had written "))
}

func TestProblemEndsWithTheServer(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 10, seconds: 10, cutAfter: 50 * time.Millisecond})
	app, err := newWebApp(f.exports.db, f.client, f.cfg)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.run(ctx) }()

	post := func() *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		app.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/problem?way=stubborn", nil))
		return rec
	}
	require.Equal(t, http.StatusServiceUnavailable, post().Code)
	require.True(t, app.problem.Look()[0].Burns())
	stop()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(patience):
		require.Fail(t, "the app did not stop")
	}
	a := app.problem.Look()[0]
	assert.False(t, a.Ended.IsZero(), "run did not wait for the job")
	assert.ErrorIs(t, a.Err, context.Canceled)
	assert.Less(t, a.Rows, 10, "the job ran to its end")

	late := post()
	assert.Equal(t, http.StatusServiceUnavailable, late.Code)
	assert.Contains(t, late.Body.String(), "The server is stopping")
	assert.Len(t, app.problem.Look(), 1, "an attempt was started")
}

func TestProblemAnswers500AfterAnError(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 100, seconds: 0, cutAfter: patience})
	require.NoError(t, f.exports.db.Exec("DELETE FROM customers WHERE id > 50").Error)
	for _, way := range []string{"stops", "stubborn"} {
		got := f.inside(t, "way="+way, onForm)
		assert.Equal(t, http.StatusInternalServerError, got.StatusCode, "%s: %s", way, got.body)
		assert.NotContains(t, got.body, "cut off")
	}
	page := f.do(t, "GET", "/problem").body
	assert.Equal(t, 2, strings.Count(page, "The answer is 500, because of an error: “customers were deleted while the export read them”"))
}

func TestProblemStartsExportsOnlyForPOST(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 10, seconds: 0.5})
	page := f.do(t, "GET", "/problem?seconds=2.5&way=stubborn")
	require.Equal(t, http.StatusOK, page.StatusCode)
	assert.Contains(t, page.body, `value="2.5"`)
	assert.Contains(t, page.body, "cut off after 1.00 s")
	for _, want := range []string{`<code>exports</code>`, `<code>Exporter</code>`, `<pre>{&#34;class&#34;:&#34;Exporter&#34;,&#34;args&#34;:[1]}</pre>`} {
		assert.Contains(t, page.body, want)
	}
	assert.Equal(t, http.StatusForbidden, f.do(t, "POST", "/problem", "Sec-Fetch-Site", "cross-site").StatusCode)
	assert.Equal(t, http.StatusMethodNotAllowed, f.do(t, "DELETE", "/problem").StatusCode)
	assert.Empty(t, f.app.problem.Look())
}

func TestProblemShowsTheTimesOfABackgroundExport(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 100, seconds: 0.4, cutAfter: 200 * time.Millisecond})
	f.do(t, "POST", "/exports")
	f.work(t)
	require.Eventually(t, func() bool { return f.json(t, "/exports/1").Complete }, patience, 10*time.Millisecond)
	e, err := f.exports.find(t.Context(), 1)
	require.NoError(t, err)
	got := f.inside(t, "seconds=10", onForm)
	require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	for _, want := range []string{
		"<li><span>0.00 s</span> Export #1 is stored, and its job is enqueued.</li>",
		"<li><span>" + words.Seconds(e.StartedAt.Sub(e.CreatedAt)) + "</span> A worker takes the job.</li>",
		"<li><span>" + words.Seconds(e.UpdatedAt.Sub(e.CreatedAt)) + "</span> The file is ready: 100 rows, " + words.Size(e.Bytes) + ".</li>",
	} {
		assert.Contains(t, got.body, want)
	}

	// The record does not store when a second run was requested.
	require.NoError(t, f.exports.db.Model(e).Update("attempt", 2).Error)
	assert.Contains(t, f.do(t, "GET", "/problem").body, "No worker has built an export yet")
}

func TestEveryPageLinksTheThreeModes(t *testing.T) {
	t.Parallel()
	f := setUp(t, 10, 0)
	f.do(t, "POST", "/exports")
	for path, current := range map[string]string{
		"/problem": "/problem", "/exports?live=off": "/exports?live=off", "/exports?live=on": "/exports?live=on", "/exports/1": "/exports?live=on", "/nowhere": "",
	} {
		page := f.do(t, "GET", path).body
		nav := regexp.MustCompile(`(?s)<nav.*?</nav>`).FindString(page)
		for _, mode := range []string{"/problem", "/exports?live=off", "/exports?live=on"} {
			assert.Equal(t, mode == current, strings.Contains(nav, `href="`+mode+`" aria-current="page"`), "%s on %s", mode, path)
			assert.Contains(t, nav, `href="`+mode+`"`, path)
		}
	}
}
