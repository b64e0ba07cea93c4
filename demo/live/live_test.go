package live

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// changes has a version that a test sets.
type changes struct {
	version atomic.Int64
	away    atomic.Bool
	asked   atomic.Int64
}

func (c *changes) now(context.Context) (int64, error) {
	c.asked.Add(1)
	if c.away.Load() {
		return 0, errors.New("away")
	}
	return c.version.Load(), nil
}

// follow runs a feed until the test ends.
func follow(t *testing.T, c *changes, log *strings.Builder) *Feed {
	t.Helper()
	f := New(Config{
		Version: c.now, LookEvery: time.Millisecond, CommentEvery: 10 * time.Millisecond,
		List: func(_ context.Context, _ *int64) ([]Item, error) {
			return []Item{{ID: 1, Version: c.version.Load(), JSON: "changed"}}, nil
		},
		Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return f
}

// waiting starts a wait. It returns when the wait is counted.
func waiting(t *testing.T, f *Feed, version int64) <-chan bool {
	t.Helper()
	got := make(chan bool, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	before := f.Waiting()
	go func() { got <- f.watch.wait(ctx, version) }()
	require.Eventually(t, func() bool { return f.Waiting() == before+1 }, time.Minute, time.Millisecond)
	return got
}

func TestWaitReturnsAfterAHigherOrLowerVersion(t *testing.T) {
	t.Parallel()
	var c changes
	c.version.Store(5)
	f := follow(t, &c, &strings.Builder{})
	one, other := waiting(t, f, 5), waiting(t, f, 6)
	c.version.Store(6)
	assert.True(t, <-one)
	assert.Empty(t, other, "version 6 is not news for this request")
	c.version.Store(2) // as after a reset of the database
	assert.True(t, <-other)
	assert.Zero(t, f.Waiting())
}

// While a page waits, the feed reads the version four times a second. Otherwise it
// does not read it.
func TestRunLooksOnlyWhileAPageWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c changes
		f := New(Config{Version: c.now, Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		soon, leave := context.WithTimeout(t.Context(), time.Hour)
		defer leave()
		var all sync.WaitGroup
		all.Go(func() { assert.False(t, f.watch.wait(soon, 0), "wait returned true without a change") })
		require.NoError(t, f.Run(ctx))
		all.Wait()
		assert.InDelta(t, 4*60*60, c.asked.Load(), 2)
	})
}

func TestWaitSurvivesErrorsAndLogsOne(t *testing.T) {
	t.Parallel()
	var c changes
	var log strings.Builder
	c.away.Store(true)
	f := follow(t, &c, &log)
	got := waiting(t, f, 0)
	asked := c.asked.Load()
	require.Eventually(t, func() bool { return c.asked.Load() > asked+5 }, time.Minute, time.Millisecond)
	c.version.Store(1)
	c.away.Store(false)
	assert.True(t, <-got)
	f.watch.mu.Lock()
	defer f.watch.mu.Unlock()
	assert.Equal(t, 1, strings.Count(log.String(), "looking for changes failed"))
}

func TestNewsAfterAResetHasAllItems(t *testing.T) {
	t.Parallel()
	var c changes
	c.version.Store(2)
	f := follow(t, &c, &strings.Builder{})
	for version, want := range map[int64][]any{1: {"changed"}, 2: {}, 5: {"changed"}} {
		got, err := f.since(t.Context(), version, "")
		require.NoError(t, err)
		assert.Equal(t, want, got.Exports, version)
		assert.EqualValues(t, 2, got.Version)
	}
}

// Comments keep a quiet stream open. Writing them also detects a visitor who has left.
func TestQuietStreamHasComments(t *testing.T) {
	t.Parallel()
	var c changes
	f := follow(t, &c, &strings.Builder{})
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { _ = f.Events(rw, r) }))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"?version=0", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for range 3 {
		for lines.Scan() && lines.Text() != ": still here" {
			assert.NotContains(t, lines.Text(), "data")
		}
	}
	c.version.Store(1)
	for lines.Scan() && lines.Text() != "id: 1" {
		assert.NotContains(t, lines.Text(), "data")
	}
	require.True(t, lines.Scan())
	assert.Equal(t, `data: {"version":1,"ids":[1],"exports":["changed"]}`, lines.Text())
}

func TestModeComesFromQueryThenCookie(t *testing.T) {
	t.Parallel()
	for query, c := range map[string]struct{ cookie, want, set string }{
		"":             {"", On, ""},
		"?x=1":         {Off, Off, ""},
		"?x=2":         {"no such mode", On, ""},
		"?live=reload": {Off, Reload, Reload},
		"?live=none":   {Off, Off, ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/exports"+query, nil)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: modeCookie, Value: c.cookie})
		}
		rec := httptest.NewRecorder()
		assert.Equal(t, c.want, Mode(rec, r), query)
		set := ""
		for _, cookie := range rec.Result().Cookies() {
			set = cookie.Value
			assert.Equal(t, 30*24*60*60, cookie.MaxAge)
		}
		assert.Equal(t, c.set, set, query)
	}
}

func TestScriptIsSmall(t *testing.T) {
	t.Parallel()
	js, err := Files().ReadFile("static/app.js")
	require.NoError(t, err)
	assert.LessOrEqual(t, len(js), 5<<10)
}
