package demo

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

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
	tab := browsertest.Start(t)
	f := setUpWith(t, webConfig{rows: 10_000, seconds: 6, lost: time.Hour, later: time.Hour})
	f.gallery(t)
	for _, look := range []struct {
		theme string
		width int
	}{{"light", 1200}, {"dark", 320}, {"dark", 1200}, {"light", 320}} {
		tab.Prefer(look.theme, true)
		for _, path := range []string{"/exports?live=on&ready=1", "/exports?live=off", "/exports/1", "/exports/3", "/exports/5", "/exports/8", "/exports/2/download", "/problem?seconds=1.5", "/problem"} {
			tab.Do(browsertest.Viewport(look.width, 800), browsertest.Navigate(f.web.URL+path))
			if path == "/problem" {
				tab.Do(stubborn(), browsertest.Visible("Your export was cut off"))
			}
			tab.Do(browsertest.Run(string(axe)))
			found := browsertest.Ask[[]violation](tab,
				`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r => r.violations)`)
			for _, v := range found {
				t.Errorf("%s: %s\n%s, %s, %d wide: %.300s\n%s", v.ID, v.Help, path, look.theme, look.width, v.Nodes[0].HTML, v.Nodes[0].FailureSummary)
			}
			assert.False(t, browsertest.Ask[bool](tab, `document.documentElement.scrollWidth > innerWidth`), "%s scrolls sideways", path)
			assert.Equal(t, "none", browsertest.Ask[string](tab, `getComputedStyle(document.querySelector(".spinner") ?? document.body).animationName`))
		}
	}
}
