package demo

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
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

func stops() chromedp.Action[chromedp.Void] { return browsertest.Click(`button[value=stops]`) }

func stubborn() chromedp.Action[chromedp.Void] { return browsertest.Click(`button[value=stubborn]`) }

func TestBrowserFollowsProblemExports(t *testing.T) {
	t.Parallel()
	ctx := browsertest.Start(t)
	f := setUpWith(t, webConfig{rows: 1000, seconds: 6, cutAfter: 2 * time.Second})
	see(t, ctx, chromedp.Navigate(f.web.URL+"/problem"), browsertest.Visible("In this server right now"),
		// The script stores what the page shows while the browser waits for the answer.
		browsertest.Becomes(`setInterval(() => { if (`+counts(1, 0)+`) sessionStorage.seen = "yes" }, 50) > 0`),
		stops(), browsertest.Becomes(status503), browsertest.Visible("Your export was cut off"), browsertest.Visible("of 1,000 rows, now wasted"), browsertest.Visible("No worker has built an export yet"))
	assert.Equal(t, "yes", ask[string](t, ctx, `sessionStorage.seen ?? "no"`))

	see(t, ctx, chromedp.Navigate(f.web.URL+"/problem"), stubborn(), browsertest.Becomes(status503), mark(), browsertest.Becomes(counts(0, 1)),
		browsertest.Becomes(counts(0, 0)), browsertest.Visible("http: Handler timeout"))
	assert.True(t, ask[bool](t, ctx, stayed), "the page was loaded again")

	see(t, ctx, browsertest.Click(`form[action="/exports"] button`), browsertest.Visible(wantFlash), browsertest.Becomes(row(1, record.Queued)))
}

func TestBrowserProblemWithoutScripts(t *testing.T) {
	t.Parallel()
	ctx := browsertest.Start(t)
	f := setUpWith(t, webConfig{rows: 1000, seconds: 9, cutAfter: 500 * time.Millisecond})
	_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(t, err)
	see(t, ctx, chromedp.Navigate(f.web.URL+"/problem"), stubborn(), browsertest.Becomes(status503), browsertest.Visible("The job still runs"),
		browsertest.Click(`#now a`), browsertest.Becomes(counts(0, 1)), browsertest.Becomes(counts(0, 0)), // the page reloads
		browsertest.Click(`form[action="/exports"] button`), browsertest.Visible(wantFlash), browsertest.Becomes(row(1, record.Queued)))
}

// TestProblemScreenshots takes pictures for people to look at, as TestScreenshots does.
func TestProblemScreenshots(t *testing.T) {
	t.Parallel()
	if *screenshots == "" {
		t.Skip("-screenshots names no directory")
	}
	ctx := browsertest.Start(t)
	for name, look := range map[string]struct {
		theme         string
		width, height int64
	}{"light": {"light", 1200, 860}, "dark": {"dark", 1200, 860}, "mobile": {"light", 390, 844}, "narrow": {"dark", 320, 640}} {
		f := setUpWith(t, webConfig{rows: 10_000, seconds: 4, lost: time.Hour})
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.theme}},
		})
		require.NoError(t, err)
		shoot := func(page string) {
			assert.False(t, ask[bool](t, ctx, `document.documentElement.scrollWidth > innerWidth`), "%s %s scrolls sideways", name, page)
			picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			require.NoError(t, err)
			dir := filepath.Join(*screenshots, name)
			require.NoError(t, os.MkdirAll(dir, 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, page+".png"), picture, 0o644))
			if name == "light" && page == "problem-burning" {
				small(t, picture, filepath.Join(*screenshots, "demo-problem.png"))
			}
		}
		see(t, ctx, chromedp.EmulateViewport(look.width, look.height), chromedp.Navigate(f.web.URL+"/problem"), browsertest.Visible("right now"))
		shoot("problem-before")
		f.do(t, http.MethodPost, "/exports")
		f.workOff(t)
		see(t, ctx, stops(), browsertest.Visible("Your export was cut off"))
		shoot("problem-503")
		see(t, ctx, chromedp.Navigate(f.web.URL+"/problem"), stubborn(), browsertest.Visible("Your export was cut off"), browsertest.Becomes(`/still runs, [1-9]/.test(document.body.innerText)`))
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
		see(t, ctx, browsertest.Becomes(`document.querySelector("#now strong").textContent === "5"`))
		shoot("problem-line")
		leave()
	}
}
