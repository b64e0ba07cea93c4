package demo

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/browsertest"
	"github.com/goresque/goresque/internal/redistest"
)

// violation is an accessibility error that axe-core finds.
type violation struct {
	ID, Help string
	Nodes    []struct{ HTML, FailureSummary string }
}

func TestPagesPassAxeInLightAndDarkWideAndNarrow(t *testing.T) {
	t.Parallel()
	axe, err := os.ReadFile("../web/testdata/node_modules/axe-core/axe.min.js")
	redistest.Require(t, "node", !errors.Is(err, fs.ErrNotExist)) // npm ci in web/testdata installs it
	require.NoError(t, err)
	ctx := browsertest.Start(t)
	f := setUpWith(t, webConfig{rows: 10_000, seconds: 6, lost: time.Hour})
	f.gallery(t)
	for _, look := range []struct {
		theme string
		width int64
	}{{"light", 1200}, {"dark", 320}, {"dark", 1200}, {"light", 320}} {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.theme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		require.NoError(t, err)
		for _, path := range []string{"/exports?live=on&ready=1", "/exports?live=off", "/exports/1", "/exports/3", "/exports/5", "/exports/2/download", "/problem?seconds=1.5", "/problem"} {
			see(t, ctx, chromedp.EmulateViewport(look.width, 800), chromedp.Navigate(f.web.URL+path))
			if path == "/problem" {
				see(t, ctx, stubborn(), browsertest.Visible("Your export was cut off"))
			}
			see(t, ctx, chromedp.Evaluate[chromedp.Void](string(axe)))
			found, err := chromedp.Run(ctx, chromedp.Evaluate[[]violation](
				`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r => r.violations)`,
				chromedp.EvalAwaitPromise))
			require.NoError(t, err)
			for _, v := range found {
				t.Errorf("%s: %s\n%s, %s, %d wide: %.300s\n%s", v.ID, v.Help, path, look.theme, look.width, v.Nodes[0].HTML, v.Nodes[0].FailureSummary)
			}
			assert.False(t, ask[bool](t, ctx, `document.documentElement.scrollWidth > innerWidth`), "%s scrolls sideways", path)
			assert.Equal(t, "none", ask[string](t, ctx, `getComputedStyle(document.querySelector(".spinner") ?? document.body).animationName`))
		}
	}
}
