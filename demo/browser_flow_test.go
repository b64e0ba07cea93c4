package demo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/internal/browsertest"
	"github.com/goresque/goresque/internal/redistest"
)

// gate is a proxy before the app. It counts requests and can refuse or cut streams.
type gate struct {
	app      http.Handler
	noStream atomic.Bool
	streams  atomic.Int32 // streams requested
	polls    atomic.Int32 // long polls
	resumed  atomic.Int32 // streams requested with Last-Event-ID

	mu  sync.Mutex
	cut []context.CancelFunc
}

func (g *gate) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/exports/events":
		g.streams.Add(1)
		if r.Header.Get("Last-Event-ID") != "" {
			g.resumed.Add(1)
		}
		if g.noStream.Load() {
			http.Error(rw, "this proxy refuses streams", http.StatusBadGateway)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		g.mu.Lock()
		g.cut = append(g.cut, cancel)
		g.mu.Unlock()
		r = r.WithContext(ctx)
	case r.FormValue("wait") != "":
		g.polls.Add(1)
	}
	g.app.ServeHTTP(rw, r)
}

func (g *gate) cutStreams() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, cancel := range g.cut {
		cancel()
	}
	g.cut = nil
}

// guarded returns a fixture behind a gate.
func guarded(t *testing.T, rows int, seconds float64) (*fixture, *gate) {
	t.Helper()
	f := setUpWith(t, webConfig{rows: rows, seconds: seconds, lost: time.Hour, lookEvery: 10 * time.Millisecond})
	g := &gate{app: f.app}
	f.web.Config.Handler = g
	return f, g
}

// brake holds the worker when it reads some of the fifty parts of an export. Each time until
// release is called. Call it after f.work. The export must not count as lost.
func (f *fixture) brake(t *testing.T, parts ...int32) (release func()) {
	t.Helper()
	var read atomic.Int32
	held, ended := make(chan struct{}), make(chan struct{})
	hook := func(tx *gorm.DB) {
		if tx.Statement.Table != "customers" || !strings.Contains(tx.Statement.SQL.String(), "id >") {
			return
		}
		part := read.Add(1)
		if slices.Contains(parts, part+1) {
			<-time.After(300 * time.Millisecond) // so that this part is reported, at most every 250 ms
		}
		if slices.Contains(parts, part) {
			select {
			case <-held:
			case <-ended:
			}
		}
	}
	f.onQuery.Store(&hook)
	t.Cleanup(func() { close(ended) })
	return func() {
		select {
		case held <- struct{}{}:
		case <-time.After(patience):
			require.Fail(t, "the worker is not held")
		}
	}
}

// stay marks the page. stayed is false after the page has been loaded again.
const stay, stayed = `window.stayed = true`, `window.stayed === true`

func mark() browsertest.Step { return browsertest.Becomes(stay) }

func click(selector string) browsertest.Step { return browsertest.Click(selector) }

func TestBrowserFollowsAnExport(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	f, g := guarded(t, 1000, 1)
	f.work(t)
	release := f.brake(t, 5, 40)
	tab.Do(browsertest.Viewport(800, 400), browsertest.Navigate(f.web.URL+"/exports"), browsertest.Visible("No exports yet."),
		click(`.primary`), browsertest.Visible(wantFlash), browsertest.Becomes(row(1, record.Building)),
		browsertest.Becomes(`document.querySelector("#flash[role=status]") !== null`), browsertest.Visible("you can leave this page"),
		browsertest.Becomes(`getComputedStyle(document.querySelector("#export-1 .spinner")).animationName === "turn"`),
		mark(), browsertest.Becomes(`document.querySelector("#export-1 a").focus(), scrollTo(0, 50), scrollY === 50`))
	release()
	tab.Do(browsertest.Becomes(`document.querySelector("#export-1 progress").value > 100`), browsertest.Visible("of 1,000 rows, about"),
		browsertest.Becomes(`/Export 1: (25|50|75) %/.test(document.getElementById("say").textContent)`))
	release()
	tab.Do(browsertest.Becomes(row(1, record.Ready)), browsertest.Visible("Export 1 is ready – Download CSV (83 kB)"))
	assert.True(t, browsertest.Ask[bool](tab, stayed), "the page was loaded again")
	assert.Equal(t, "✓ Exports · goresque demo", browsertest.Ask[string](tab, `document.title`))
	assert.True(t, browsertest.Ask[bool](tab, `document.activeElement === document.querySelector("#export-1 a")`), "the focus moved")
	assert.Equal(t, 50, browsertest.Ask[int](tab, `scrollY`), "the page scrolled")
	assert.EqualValues(t, 2, g.streams.Load(), "want one stream for each page")

	dir := t.TempDir()
	tab.DownloadTo(dir)
	tab.Do(click(`#export-1 .button`))
	require.Eventually(t, func() bool {
		data, err := os.ReadFile(filepath.Join(dir, "Customers – export 1.csv"))
		return err == nil && string(data) == wantCSV(1000)
	}, patience, 20*time.Millisecond)
	assert.Empty(t, tab.Complaints())
}

func TestBrowserWithoutScriptsReloadsThePage(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	f, g := guarded(t, 100, 4)
	tab.DisableScripts()
	tab.Do(browsertest.Navigate(f.web.URL+"/exports"), click(`.primary`), browsertest.Visible(wantFlash), browsertest.Visible("This page reloads every 3 seconds."),
		insist(`[aria-label="Cancel export 1"]`, row(1, record.Canceled)))
	f.work(t)
	tab.Do(insist(`[aria-label="Create export 1 again"]`, `["queued", "building", "ready"].includes(document.getElementById("export-1")?.dataset.state)`),
		browsertest.Becomes(row(1, record.Ready)), browsertest.Visible("Download CSV"))
	assert.Zero(t, g.streams.Load())
	assert.False(t, browsertest.Ask[bool](tab, `document.querySelector("meta[http-equiv]") !== null`), "the page of a ready export still reloads")
	tab.Do(click(`[aria-label="Delete export 1"]`), browsertest.Visible("No exports yet."))
}

func TestBrowserFollowsWhenStreamsAreCut(t *testing.T) {
	t.Parallel()

	t.Run("after they started", func(t *testing.T) {
		t.Parallel()
		tab := browsertest.Start(t)
		f, g := guarded(t, 1000, 1)
		f.work(t)
		release := f.brake(t, 20)
		tab.Do(browsertest.Navigate(f.web.URL+"/exports"), click(`.primary`), browsertest.Becomes(row(1, record.Building)), mark(),
			browsertest.Becomes(`document.querySelector("#export-1 progress").value > 50`))
		polled := g.polls.Load()
		g.cutStreams()
		require.Eventually(t, func() bool { return g.resumed.Load() > 0 }, patience, time.Millisecond, "no stream had a Last-Event-ID")
		release()
		tab.Do(browsertest.Becomes(row(1, record.Ready)), browsertest.Visible("Export 1 is ready"))
		assert.True(t, browsertest.Ask[bool](tab, stayed))
		assert.Equal(t, polled, g.polls.Load())
	})

	t.Run("by a proxy that refuses them", func(t *testing.T) {
		t.Parallel()
		tab := browsertest.Start(t)
		f, g := guarded(t, 1000, 1)
		g.noStream.Store(true)
		f.work(t)
		release := f.brake(t, 20)
		tab.Do(browsertest.Navigate(f.web.URL+"/exports"), click(`.primary`), browsertest.Becomes(row(1, record.Building)), mark(),
			browsertest.Becomes(`document.querySelector("#export-1 progress").value > 50`))
		release()
		tab.Do(browsertest.Becomes(row(1, record.Ready)), browsertest.Visible("Export 1 is ready"))
		assert.True(t, browsertest.Ask[bool](tab, stayed))
		assert.Positive(t, g.polls.Load(), "the page sent no long polls")
	})
}

func TestBrowserReconnectsAfterARestart(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	f, _ := guarded(t, 1000, 1)
	f.work(t)
	release := f.brake(t, 20)
	addr := net.JoinHostPort("127.0.0.1", redistest.FreePort(t))
	first := &httptest.Server{Listener: redistest.Listen(t, addr), Config: &http.Server{Handler: f.app}} //nolint:gosec // for a test
	first.Start()
	tab.Do(browsertest.Navigate(first.URL+"/exports"), click(`.primary`), browsertest.Becomes(row(1, record.Building)), mark(),
		browsertest.Becomes(`document.querySelector("#export-1 progress").value > 50`))
	first.CloseClientConnections()
	first.Listener.Close()
	tab.Do(browsertest.Visible("Connection lost – retrying in"), browsertest.Visible("Retry now"))

	second := &httptest.Server{Listener: redistest.Listen(t, addr), Config: &http.Server{Handler: f.app}} //nolint:gosec // for a test
	second.Start()
	t.Cleanup(func() {
		second.CloseClientConnections() // the page's stream is open
		second.Close()
	})
	tab.Do(click(`#lost button`), browsertest.Becomes(`document.getElementById("lost").hidden`))
	release()
	tab.Do(browsertest.Becomes(row(1, record.Ready)), browsertest.Visible("Export 1 is ready"))
	assert.True(t, browsertest.Ask[bool](tab, stayed))
}

func TestBrowserDoubleClickCreatesOneExport(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	f := setUp(t, 10, 0)
	tab.Do(browsertest.Navigate(f.web.URL+"/exports"), browsertest.DoubleClick(`.primary`), browsertest.Becomes(row(1, record.Queued)),
		browsertest.Navigate(f.web.URL+"/exports"))
	// Submit it twice as fast as possible.
	tab.Do(browsertest.Becomes(`document.forms[0].requestSubmit(), document.forms[0].requestSubmit(), true`), browsertest.Becomes(row(2, record.Queued)))
	assert.Equal(t, 2, browsertest.Ask[int](tab, `document.querySelectorAll("[data-row]").length`))
	size, err := f.client.Size(t.Context(), "exports")
	require.NoError(t, err)
	assert.EqualValues(t, 2, size)
}

func TestBrowserFollowsThirtyExportsOnOneStream(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	f, g := guarded(t, 100, 0.2)
	tab.Do(browsertest.Navigate(f.web.URL+"/exports"), browsertest.Visible("No exports yet."), mark())
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() { assert.Equal(t, http.StatusSeeOther, f.do(t, "POST", "/exports").StatusCode) })
	}
	all.Wait()
	tab.Do(browsertest.Becomes(`document.querySelectorAll("[data-state=queued]").length === 30`), browsertest.Visible("30th in line"))
	f.work(t)
	f.work(t)
	tab.Do(browsertest.Becomes(`document.querySelectorAll("[data-state=ready]").length === 30`), browsertest.Visible("is ready – Download CSV"))
	ids := browsertest.Ask[[]string](tab, `[...document.querySelectorAll("[data-row]")].map((r) => r.id)`)
	for i, id := range ids {
		assert.Equal(t, fmt.Sprintf("export-%d", 30-i), id, "want the newest first")
	}
	assert.True(t, browsertest.Ask[bool](tab, stayed))
	assert.EqualValues(t, 1, g.streams.Load())
}

func TestBrowserModes(t *testing.T) {
	t.Parallel()

	t.Run("reload by hand", func(t *testing.T) {
		t.Parallel()
		tab := browsertest.Start(t)
		f, g := guarded(t, 10, 0)
		tab.Do(browsertest.Navigate(f.web.URL+"/exports"), click(`.modes a[href$="live=off"]`), browsertest.Visible("You reload this page."), click(`.primary`), browsertest.Visible(wantFlash))
		begun := g.streams.Load()
		f.workOff(t)
		tab.Do(browsertest.Becomes(row(1, record.Queued)), click(`.hint a`), browsertest.Becomes(row(1, record.Ready)))
		assert.Equal(t, begun, g.streams.Load())
	})

	t.Run("load the page again", func(t *testing.T) {
		t.Parallel()
		tab := browsertest.Start(t)
		f, _ := guarded(t, 10, 0)
		tab.Do(browsertest.Navigate(f.web.URL+"/exports?live=reload"), click(`.primary`), browsertest.Becomes(row(1, record.Queued)), mark())
		f.work(t)
		tab.Do(browsertest.Becomes(row(1, record.Ready)), browsertest.Visible("Export 1 is ready – Download CSV"))
		assert.False(t, browsertest.Ask[bool](tab, stayed))
	})

	t.Run("load the page again after the export is ready", func(t *testing.T) {
		t.Parallel()
		tab := browsertest.Start(t)
		f, _ := guarded(t, 10, 0)
		tab.Do(browsertest.Navigate(f.web.URL+"/exports?live=reload"), click(`.primary`), browsertest.Becomes(row(1, record.Queued)),
			browsertest.Navigate("about:blank"))
		f.workOff(t)
		tab.Do(browsertest.Navigate(f.web.URL+"/exports"), browsertest.Becomes(row(1, record.Ready)), browsertest.Visible("Export 1 is ready – Download CSV"))
	})

	t.Run("a hidden page sends no requests and catches up later", func(t *testing.T) {
		t.Parallel()
		tab := browsertest.Start(t)
		f, _ := guarded(t, 10, 0)
		hide := func(hidden bool) browsertest.Step {
			return browsertest.Becomes(fmt.Sprintf(`Object.defineProperty(document, "hidden", {value: %v, configurable: true}),
				document.dispatchEvent(new Event("visibilitychange"))`, hidden))
		}
		tab.Do(browsertest.Navigate(f.web.URL+"/exports"), click(`.primary`), browsertest.Becomes(row(1, record.Queued)), mark())
		f.waits(t, 1)
		tab.Do(hide(true))
		f.waits(t, 0)
		f.workOff(t)
		tab.Do(browsertest.Becomes(row(1, record.Queued)), hide(false), browsertest.Becomes(row(1, record.Ready)), browsertest.Visible("Export 1 is ready"))
		assert.True(t, browsertest.Ask[bool](tab, stayed))
	})

	t.Run("one export's page", func(t *testing.T) {
		t.Parallel()
		tab := browsertest.Start(t)
		f, _ := guarded(t, 1000, 1)
		f.newExport(t)
		f.newExport(t) // the page does not follow this one
		tab.Do(browsertest.Navigate(f.web.URL+"/exports/1"), browsertest.Becomes(row(1, record.Queued)), mark())
		f.work(t)
		release := f.brake(t, 20)
		tab.Do(browsertest.Becomes(`document.querySelector("progress")?.value > 100`))
		release()
		tab.Do(browsertest.Becomes(row(1, record.Ready)), browsertest.Visible("Download CSV"), browsertest.Visible("SHA-256"))
		assert.True(t, browsertest.Ask[bool](tab, stayed))
	})
}
