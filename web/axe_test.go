package web_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
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

// checker runs axe-core on the pages of a site.
type checker struct {
	t    *testing.T
	tab  *browsertest.Tab
	axe  string
	said map[string]bool // faults that were reported
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	axe, err := os.ReadFile("testdata/node_modules/axe-core/axe.min.js")
	redistest.Require(t, "node", !errors.Is(err, fs.ErrNotExist)) // installed by npm ci in testdata
	require.NoError(t, err)
	return &checker{t, browsertest.Start(t), string(axe), map[string]bool{}}
}

// visit loads a page and checks it. Checks are slow, so all of them are made at 1280 px in
// light and at 320 px in dark, and those of colours in the other two cases.
func (c *checker) visit(url string) {
	c.t.Helper()
	c.tab.Prefer("light", true)
	c.tab.Do(browsertest.Viewport(1280, 800), browsertest.Navigate(url), browsertest.Run(c.axe),
		browsertest.Run(`for (const d of document.querySelectorAll("details:not(.more)")) d.open = true`))
	c.check(url+", 1280 px", "document", axeTags)
	c.tab.Prefer("dark", true)
	c.check(url+", dark", "document", axeColors)
	c.tab.Do(browsertest.Viewport(320, 640))
	c.check(url+", 320 px, dark", "document", axeTags)
	c.tab.Prefer("light", true)
	c.check(url+", 320 px", "document", axeColors)
}

const (
	axeTags   = `runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`
	axeColors = `runOnly: ["color-contrast", "link-in-text-block"]`
)

// check reports the faults of a part of the page that were not reported before.
func (c *checker) check(where, context, options string) {
	c.t.Helper()
	for _, v := range browsertest.Ask[[]violation](c.tab, `axe.run(`+context+`, {resultTypes: ["violations"], `+options+`}).then(r => r.violations)`) {
		n := v.Nodes[0]
		if once := v.ID + n.FailureSummary; !c.said[once] {
			c.said[once] = true
			c.t.Errorf("%s: %s\n%s, %d times: %.300s\n%s", v.ID, v.Help, where, len(v.Nodes), n.HTML, n.FailureSummary)
		}
	}
}

// axe-core finds no fault on any page, in light and dark, wide and narrow.
func TestAccessibility(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	s := open(t, web.Config{Refresh: -1, PerPage: 4})
	s.fill()
	s.fillHistory()
	s.removed()
	base := s.listen()
	for _, path := range append(axePaths, s.href("/failed", "failures/")) {
		c.visit(base + path)
	}
	for _, theme := range []string{"light", "dark"} {
		c.tab.Prefer(theme, true)
		for _, width := range []int{1280, 320} { // the menu covers the page below, and is the same on all pages
			c.tab.Do(browsertest.Viewport(width, 800), browsertest.Navigate(base+"/overview"), browsertest.Run(c.axe),
				browsertest.Run(`for (const d of document.querySelectorAll("details.more")) d.open = true`))
			c.check(fmt.Sprintf("the menu, %s, %d px", theme, width), `"header"`, axeTags)
		}
	}
}

// Pages without any data have other texts. axe-core finds no fault on them, and they are
// not wider than the window.
func TestAccessibilityOfEmptyPages(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	s := open(t, web.Config{Refresh: -1})
	base := s.listen()
	for _, path := range []string{
		"/overview", "/queues", "/working", "/workers", "/failed", "/failed?view=groups", "/failed?view=hours", "/failed?class=A", "/schedule", "/delayed",
		"/delayed/search", "/retry", "/statuses", "/batches", "/limits", "/locks", "/trash", "/history", "/stats/resque", "/stats/keys",
	} {
		c.visit(base + path)
		assert.LessOrEqual(t, browsertest.Ask[float64](c.tab, `document.documentElement.scrollWidth`), 320., path)
	}
}

var axePaths = []string{ //nolint:gochecknoglobals // a table
	"/overview", "/queues", "/queues/mailers", "/queues/low", "/working", "/working/web-1.example.com:4212:exports,mailers", "/workers",
	"/workers/worker-3.example.com:31007:billing,reports", "/failed", "/failed?class=Exporter", "/failed?view=groups", "/failed?view=hours", "/failed?q=nothing+like+that",
	"/schedule", "/doctor", "/batches", "/batches/" + nightlyBatch, "/delayed", "/delayed?q=nothing+like+that", "/delayed/search?search=charge",
	"/statuses", "/statuses/" + runningStatus, "/limits", "/locks",
	"/retry",
	"/failed/remove/3", "/trash", "/queues/mailers?dir=desc&class=InvoiceMailJob", "/failures/0-0123456789abcdef", "/history", "/stats", "/stats/redis", "/stats/keys", "/stats/keys/queue:exports", "/nothing",
}
