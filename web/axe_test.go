package web_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/browsertest"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/web"
)

// violation is a fault that axe-core finds.
type violation struct {
	ID, Help string
	Nodes    []struct{ HTML, FailureSummary string }
}

// axe-core finds no fault on any page, in light and dark, wide and narrow.
func TestAccessibility(t *testing.T) {
	t.Parallel()
	axe, err := os.ReadFile("testdata/node_modules/axe-core/axe.min.js")
	redistest.Require(t, "node", !errors.Is(err, fs.ErrNotExist)) // installed by npm ci in testdata
	require.NoError(t, err)
	tab := browsertest.Start(t)
	s := open(t, web.Config{Refresh: -1, PerPage: 4})
	s.fill()
	s.fillHistory()
	s.removed()
	said := map[string]bool{}
	base := s.listen()
	for _, look := range []struct {
		theme string
		width int
	}{{"light", 1280}, {"dark", 1280}, {"light", 390}, {"dark", 390}} {
		tab.Prefer(look.theme, true)
		for _, path := range append(axePaths, s.href("/failed", "failures/")) {
			tab.Do(browsertest.Viewport(look.width, 800), browsertest.Navigate(base+path),
				browsertest.Run(string(axe)),
				browsertest.Run(`for (const d of document.querySelectorAll("details:not(.more)")) d.open = true`))
			found := browsertest.Ask[[]violation](tab,
				`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r => r.violations)`)
			if path == axePaths[0] { // the menu covers the page below, and is the same on all pages
				tab.Do(browsertest.Run(`for (const d of document.querySelectorAll("details.more")) d.open = true`))
				found = append(found, browsertest.Ask[[]violation](tab,
					`axe.run("header", {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}).then(r => r.violations)`)...)
			}
			for _, v := range found {
				n := v.Nodes[0]
				if once := v.ID + n.FailureSummary; !said[once] {
					said[once] = true
					t.Errorf("%s: %s\n%s, %s, %d wide, %d times: %.300s\n%s", v.ID, v.Help, path, look.theme, look.width, len(v.Nodes), n.HTML, n.FailureSummary)
				}
			}
		}
	}
}

var axePaths = []string{ //nolint:gochecknoglobals // a table
	"/overview", "/queues", "/queues/mailers", "/queues/low", "/working", "/working/web-1.example.com:4212:exports,mailers", "/workers",
	"/workers/worker-3.example.com:31007:billing,reports", "/failed", "/failed?class=Exporter", "/failed?view=groups", "/failed?view=hours", "/failed?q=nothing+like+that",
	"/schedule", "/doctor", "/batches", "/batches/" + nightlyBatch, "/delayed", "/delayed?class=Reminder", "/delayed?q=nothing+like+that", "/delayed/4102444800", "/delayed/search?search=charge",
	"/statuses", "/statuses/" + runningStatus, "/limits", "/locks",
	"/retry", "/retry?q=nothing+like+that",
	"/failed/remove/3", "/trash", "/queues/mailers?dir=desc&class=InvoiceMailJob", "/failures/0-0123456789abcdef", "/history", "/schedule?sort=next", "/stats", "/stats/redis", "/stats/keys", "/stats/keys/queue:exports", "/nothing",
}
