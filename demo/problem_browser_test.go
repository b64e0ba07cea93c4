package demo

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/internal/browsertest"
)

const status503 = `performance.getEntriesByType("navigation")[0].responseStatus === 503`

// counts returns an expression that is true when the page counts waits requests that
// wait and burns jobs that run for no visitor.
func counts(waits, burns int) string {
	return fmt.Sprintf(`[...document.querySelectorAll("#now strong")].map((n) => n.textContent).join() === "%d,%d"`, waits, burns)
}

func stops() browsertest.Step { return browsertest.Click(`button[value=stops]`) }

func stubborn() browsertest.Step { return browsertest.Click(`button[value=stubborn]`) }

func TestBrowserFollowsProblemExports(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	f := setUpWith(t, webConfig{rows: 1000, seconds: 6, cutAfter: 2 * time.Second})
	for late := time.Now().Add(patience); ; { // on a busy machine the page may not show it before the answer
		tab.Do(browsertest.Navigate(f.web.URL+"/problem"), browsertest.Visible("In this server right now"),
			// The script stores what the page shows while the browser waits for the answer.
			browsertest.Becomes(`setInterval(() => { if (`+counts(1, 0)+`) sessionStorage.seen = "yes" }, 50) > 0`),
			stops(), browsertest.Becomes(status503), browsertest.Visible("Your export was cut off"), browsertest.Visible("of 1,000 rows, now wasted"), browsertest.Visible("No worker has built an export yet"))
		if browsertest.Ask[string](tab, `sessionStorage.seen ?? "no"`) == "yes" {
			break
		}
		require.True(t, time.Now().Before(late), "the page has not shown that a request waits")
	}

	release := f.brake(t, 30)
	tab.Do(browsertest.Navigate(f.web.URL+"/problem"), stubborn(), browsertest.Becomes(status503), mark(), browsertest.Becomes(counts(0, 1)))
	release()
	tab.Do(browsertest.Becomes(counts(0, 0)), browsertest.Visible("http: Handler timeout"))
	assert.True(t, browsertest.Ask[bool](tab, stayed), "the page was loaded again")

	tab.Do(browsertest.Click(`form[action="/exports"] button`), browsertest.Visible(wantFlash), browsertest.Becomes(row(1, record.Queued)))
}

func TestBrowserProblemWithoutScripts(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	f := setUpWith(t, webConfig{rows: 1000, seconds: 9, cutAfter: 500 * time.Millisecond})
	tab.DisableScripts()
	release := f.brake(t, 30)
	tab.Do(browsertest.Navigate(f.web.URL+"/problem"), stubborn(), browsertest.Becomes(status503), browsertest.Visible("The job still runs"),
		browsertest.Click(`#now a`), browsertest.Becomes(counts(0, 1)))
	release()
	tab.Do(browsertest.Becomes(counts(0, 0)), // the page reloads
		browsertest.Click(`form[action="/exports"] button`), browsertest.Visible(wantFlash), browsertest.Becomes(row(1, record.Queued)))
}

// TestProblemScreenshots takes pictures for people to look at, as TestScreenshots does.
func TestProblemScreenshots(t *testing.T) {
	t.Parallel()
	if *screenshots == "" {
		t.Skip("-screenshots names no directory")
	}
	tab := browsertest.Start(t)
	for name, look := range map[string]struct {
		theme         string
		width, height int
	}{"light": {"light", 1200, 860}, "dark": {"dark", 1200, 860}, "mobile": {"light", 390, 844}, "narrow": {"dark", 320, 640}} {
		f := setUpWith(t, webConfig{rows: 10_000, seconds: 4, lost: time.Hour})
		tab.Prefer(look.theme, false)
		shoot := func(page string) {
			assert.False(t, browsertest.Ask[bool](tab, `document.documentElement.scrollWidth > innerWidth`), "%s %s scrolls sideways", name, page)
			picture := tab.FullScreenshot()
			dir := filepath.Join(*screenshots, name)
			require.NoError(t, os.MkdirAll(dir, 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, page+".png"), picture, 0o644))
			if name == "light" && page == "problem-burning" {
				small(t, picture, filepath.Join(*screenshots, "demo-problem.png"))
			}
		}
		tab.Do(browsertest.Viewport(look.width, look.height), browsertest.Navigate(f.web.URL+"/problem"), browsertest.Visible("right now"))
		shoot("problem-before")
		f.do(t, http.MethodPost, "/exports")
		f.workOff(t)
		tab.Do(stops(), browsertest.Visible("Your export was cut off"))
		shoot("problem-503")
		tab.Do(browsertest.Navigate(f.web.URL+"/problem"), stubborn(), browsertest.Visible("Your export was cut off"), browsertest.Becomes(`/still runs, [1-9]/.test(document.body.innerText)`))
		shoot("problem-burning")
		crowd, leave := context.WithCancel(t.Context())
		for range 5 {
			req, err := http.NewRequestWithContext(crowd, http.MethodPost, f.web.URL+"/problem", nil)
			require.NoError(t, err)
			go func() {
				for crowd.Err() == nil { // each request ends after a second
					if resp, err := f.http.Do(req.Clone(crowd)); err == nil {
						resp.Body.Close()
					}
				}
			}()
		}
		tab.Do(browsertest.Becomes(`document.querySelector("#now strong").textContent === "5"`))
		shoot("problem-line")
		leave()
	}
}
