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
)

// onForm is what a browser asks for.
const onForm = "text/html,*/*;q=0.8"

// inside asks for an export inside a request.
func (f *fixture) inside(t *testing.T, query, accept string) answer {
	t.Helper()
	return f.do(t, "POST", "/problem?"+query, "Accept", accept)
}

// latest is how the newest attempt is now.
func (f *fixture) latest(t *testing.T) attempt {
	t.Helper()
	all := f.app.problem.look()
	require.NotEmpty(t, all)
	return all[0]
}

// counters are the page's numbers of who waits and of what burns.
func (f *fixture) counters(t *testing.T) (waits, burns string) {
	t.Helper()
	found := regexp.MustCompile(`<strong>(\d+)</strong> requests? waits?[^§]*<strong>(\d+)</strong> jobs? burns?`).
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
	assert.NotContains(t, got.body, "id,name,email", "nothing of the file")
	said := regexp.MustCompile(`The request was stopped after (\d+\.\d\d) s\. The server had written ([\d,]+) of 2,000 rows, now wasted\.`).FindStringSubmatch(got.body)
	require.NotNil(t, said, got.body)

	a := f.latest(t)
	after, err := strconv.ParseFloat(said[1], 64)
	require.NoError(t, err)
	assert.InDelta(t, a.answered.Sub(a.asked).Seconds(), after, 0.006)
	assert.GreaterOrEqual(t, after, 0.5)
	assert.Less(t, after, 8.0, "long before it was done")
	assert.Equal(t, thousands(a.wasted), said[2])
	assert.Positive(t, a.wasted)
	// It is due at 250 rows a second: it cannot have written more than the time allows.
	assert.LessOrEqual(t, a.wasted, int(250*a.answered.Sub(a.asked).Seconds())+1)
	assert.False(t, a.ended.IsZero(), "the job has stopped, too")
	assert.ErrorIs(t, a.err, context.DeadlineExceeded)
	assert.LessOrEqual(t, a.rows-a.wasted, 1, "at once")

	for _, want := range []string{"There is no export yet", "Do it in the background instead", `action="/exports"`, `name="token"`, "The job listens"} {
		assert.Contains(t, got.body, want)
	}
	waits, burns := f.counters(t)
	assert.Equal(t, "0 0", waits+" "+burns)
	assert.Contains(t, f.do(t, "GET", "/exports").body, "No exports yet.")
}

func TestJobThatObeysStopsInTheMiddleOfARow(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 1, seconds: 10, cutAfter: 200 * time.Millisecond})
	require.Equal(t, http.StatusServiceUnavailable, f.inside(t, "", onForm).StatusCode)
	a := f.latest(t)
	assert.Less(t, a.ended.Sub(a.asked), 10*time.Second)
	assert.Zero(t, a.rows)
}

func TestProblemAnswersJSON(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 100, seconds: 5, cutAfter: 200 * time.Millisecond})
	got := f.inside(t, "", "application/json")
	require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	assert.Equal(t, "application/json", got.Header.Get("Content-Type"))
	var said cutJSON
	require.NoError(t, json.Unmarshal([]byte(got.body), &said))
	a := f.latest(t)
	assert.Equal(t, cutJSON{
		Error: a.Text(), Seconds: 5, After: a.answered.Sub(a.asked).Seconds(), Progress: progress{a.wasted, 100}, Instead: "/exports",
	}, said)
}

func TestProblemThatIsShortIsNone(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 500, seconds: 8, cutAfter: patience})
	for _, way := range []string{"obeys", "stubborn"} {
		got := f.inside(t, "seconds=0.01&way="+way, onForm)
		require.Equal(t, http.StatusOK, got.StatusCode, way)
		assert.Equal(t, wantCSV(500), got.body, way)
		assert.Equal(t, "text/csv; charset=utf-8", got.Header.Get("Content-Type"))
	}
	page := f.do(t, "GET", "/problem").body
	assert.Equal(t, 2, strings.Count(page, "200 and the whole file, 500 rows"))
}

func TestStubbornJobBurnsOn(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 1000, seconds: 8, cutAfter: 200 * time.Millisecond})
	got := f.inside(t, "way=stubborn&seconds=3", onForm)
	require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	assert.Contains(t, got.body, "does not listen: it goes on, for nobody")
	assert.Contains(t, got.body, "The job still burns")
	first := f.latest(t)
	assert.True(t, first.Burns())
	waits, burns := f.counters(t)
	assert.Equal(t, "0 1", waits+" "+burns)
	assert.Contains(t, f.do(t, "GET", "/problem").body, `<noscript><meta http-equiv="refresh"`)

	require.Eventually(t, func() bool { return f.latest(t).rows > first.wasted+100 }, patience, 10*time.Millisecond, "it writes on")
	<-first.done
	last := f.latest(t)
	assert.Equal(t, 1000, last.rows, "it has written all")
	assert.Equal(t, first.wasted, last.wasted)
	assert.GreaterOrEqual(t, last.ended.Sub(last.asked), 3*time.Second)
	require.ErrorIs(t, last.err, http.ErrHandlerTimeout, "and nobody is there to have it")
	page := f.do(t, "GET", "/problem").body
	assert.Contains(t, page, thousands(1000-last.wasted)+" more rows for nobody, and an error: “http: Handler timeout”")
	assert.NotContains(t, page, "http-equiv", "there is nothing to wait for")
}

func TestProblemIsBounded(t *testing.T) {
	t.Parallel()

	t.Run("in length", func(t *testing.T) {
		t.Parallel()
		app := &webApp{cfg: webConfig{seconds: 4}}
		for text, want := range map[string]float64{
			"": 4, "2.5": 2.5, "0": 0, "10": 10, "11": 10, "1e9": 10, "Inf": 10, "NaN": 4, "-1": 4, "-Inf": 4, "two": 4,
		} {
			r := httptest.NewRequest(http.MethodGet, "/problem?seconds="+text, nil)
			assert.InDelta(t, want, app.secondsOf(r), 0, text)
		}
		app.cfg.seconds = 86400
		assert.InDelta(t, 10, app.secondsOf(httptest.NewRequest(http.MethodGet, "/problem", nil)), 0)
	})

	t.Run("in number", func(t *testing.T) {
		t.Parallel()
		f := setUpWith(t, webConfig{rows: 10, seconds: 10, cutAfter: 50 * time.Millisecond})
		for range mostStubborn {
			require.Equal(t, http.StatusServiceUnavailable, f.inside(t, "way=stubborn", onForm).StatusCode)
		}
		got := f.inside(t, "way=stubborn", onForm)
		assert.Equal(t, http.StatusTooManyRequests, got.StatusCode)
		assert.Contains(t, got.body, "2 that go on after the answer")
		assert.Equal(t, http.StatusServiceUnavailable, f.inside(t, "way=obeys", onForm).StatusCode, "one that obeys is let in")
		assert.Len(t, f.app.problem.look(), 3, "the refused one was not begun")
	})

	t.Run("in all", func(t *testing.T) {
		t.Parallel()
		var p problem
		add := func(stubborn bool) (*attempt, error) {
			a := &attempt{stubborn: stubborn, stop: func() {}, done: make(chan struct{})}
			return a, p.begin(a)
		}
		for range mostAttempts {
			_, err := add(false)
			require.NoError(t, err)
		}
		_, err := add(false)
		require.Error(t, err)
		for _, a := range p.attempts {
			p.end(a, nil)
		}
		for range 3 * mostAttempts {
			a, err := add(false)
			require.NoError(t, err)
			p.end(a, nil)
		}
		assert.LessOrEqual(t, len(p.look()), mostAttempts+1, "those that have ended are forgotten")
	})
}

func TestProblemCountsWhoWaits(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 100, seconds: 10, cutAfter: patience})
	ctx, leave := context.WithCancel(t.Context())
	var visitors sync.WaitGroup
	for _, way := range []string{"obeys", "obeys", "stubborn"} {
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
	assert.Equal(t, 3, strings.Count(page, "#person"), "a picture of each")
	assert.Contains(t, page, "The visitor waits: ")

	leave()
	visitors.Wait()
	require.Eventually(t, func() bool { waits, burns := f.counters(t); return waits == "0" && burns == "1" }, patience, 10*time.Millisecond)
	for _, a := range f.app.problem.look() {
		if !a.stubborn {
			<-a.done // it stops with its visitor
		}
	}
	for _, a := range f.app.problem.look() {
		assert.True(t, a.left)
		assert.Less(t, a.rows, 100)
		if a.stubborn {
			assert.True(t, a.Burns(), "it does not know that nobody is there any more")
			continue
		}
		assert.ErrorIs(t, a.err, context.Canceled)
	}
	assert.Equal(t, 2, strings.Count(f.do(t, "GET", "/problem").body, "The visitor leaves. Of 100 rows "))
}

func TestProblemEndsWithTheServer(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 10, seconds: 10, cutAfter: 50 * time.Millisecond})
	app, err := newWebApp(f.db, f.client, f.app.cfg)
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
	require.True(t, app.problem.look()[0].Burns())
	stop()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(patience):
		require.Fail(t, "the app does not end")
	}
	a := app.problem.look()[0]
	assert.False(t, a.ended.IsZero(), "run has waited for it")
	assert.ErrorIs(t, a.err, context.Canceled)
	assert.Less(t, a.rows, 10, "it has not been let go on to its end")

	late := post()
	assert.Equal(t, http.StatusServiceUnavailable, late.Code)
	assert.Contains(t, late.Body.String(), "being stopped")
	assert.Len(t, app.problem.look(), 1, "nothing is begun any more")
}

func TestProblemTellsErrorsApart(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 100, seconds: 0, cutAfter: patience})
	require.NoError(t, f.db.gorm.Exec("DELETE FROM customers WHERE id > 50").Error)
	for _, way := range []string{"obeys", "stubborn"} {
		got := f.inside(t, "way="+way, onForm)
		assert.Equal(t, http.StatusInternalServerError, got.StatusCode, "%s: it was not cut off: %s", way, got.body)
		assert.NotContains(t, got.body, "cut off")
	}
	page := f.do(t, "GET", "/problem").body
	assert.Equal(t, 2, strings.Count(page, "500, for an error: “customers were removed while they were read”"))
}

func TestProblemIsForPosts(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 10, seconds: 0.5})
	page := f.do(t, "GET", "/problem?seconds=2.5&way=stubborn")
	require.Equal(t, http.StatusOK, page.StatusCode)
	assert.Contains(t, page.body, `value="2.5"`)
	assert.Contains(t, page.body, "cut off after 1.00 s")
	for _, want := range []string{`<code>exports</code>`, `<code>Exporter</code>`, `<pre>{&#34;class&#34;:&#34;Exporter&#34;,&#34;args&#34;:[1]}</pre>`} {
		assert.Contains(t, page.body, want, "the real job")
	}
	assert.Equal(t, http.StatusForbidden, f.do(t, "POST", "/problem", "Sec-Fetch-Site", "cross-site").StatusCode)
	assert.Equal(t, http.StatusMethodNotAllowed, f.do(t, "DELETE", "/problem").StatusCode)
	assert.Empty(t, f.app.problem.look(), "none of these has begun anything")
}

func TestProblemShowsTheBackgroundAsMeasured(t *testing.T) {
	t.Parallel()
	f := setUpWith(t, webConfig{rows: 100, seconds: 0.4, cutAfter: 200 * time.Millisecond})
	f.do(t, "POST", "/exports")
	f.work(t)
	require.Eventually(t, func() bool { return f.json(t, "/exports/1").Complete }, patience, 10*time.Millisecond)
	e, err := f.db.find(t.Context(), 1)
	require.NoError(t, err)
	got := f.inside(t, "", onForm)
	require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	for _, want := range []string{
		"<li><span>0.00 s</span> Export #1 is stored, and its id goes to the queue.</li>",
		"<li><span>" + inSeconds(e.StartedAt.Sub(e.CreatedAt)) + "</span> A worker takes the job.</li>",
		"<li><span>" + inSeconds(e.UpdatedAt.Sub(e.CreatedAt)) + "</span> The file is ready: 100 rows, " + size(e.Bytes) + ".</li>",
	} {
		assert.Contains(t, got.body, want)
	}

	// After a second run nothing tells when it was asked for.
	require.NoError(t, f.db.gorm.Model(e).Update("attempt", 2).Error)
	assert.Contains(t, f.do(t, "GET", "/problem").body, "There is no export yet")
}

func TestLanesHaveOneScale(t *testing.T) {
	t.Parallel()
	begin := time.Now().Add(-time.Minute)
	at := func(s float64) time.Time { return begin.Add(time.Duration(s * float64(time.Second))) }
	all := lanes([]attempt{
		{stubborn: true, asked: begin, answered: at(1), cut: true, wasted: 250, rows: 1000, ended: at(5), err: http.ErrHandlerTimeout},
		{asked: begin, answered: at(1), cut: true, ended: at(1)},
		{asked: begin, answered: at(9), ended: at(9)}, // an older one
	}, []*Export{{ID: 7, CreatedAt: begin, StartedAt: new(at(1)), UpdatedAt: at(4), Done: 1000, Bytes: 999}})
	require.Len(t, all, 3)
	for i, want := range [][]stretch{
		{{"wait", 0, 20, 0, time.Second}},
		{{"wait", 0, 20, 0, time.Second}, {"burn", 20, 80, time.Second, 5 * time.Second}},
		{{"queued", 0, 20, 0, time.Second}, {"work", 20, 60, time.Second, 4 * time.Second}},
	} {
		assert.Equal(t, want, all[i].Stretches, all[i].Title)
	}
	assert.Contains(t, all[1].Steps, step{"5.00 s", "The job ends: 4.00 s since the answer, 750 more rows for nobody, and an error: “http: Handler timeout”."})
	assert.Nil(t, lanes(nil, nil)[2].Steps)
}

func TestEveryPageHasTheThreeModes(t *testing.T) {
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
