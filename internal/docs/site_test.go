package docs_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/browsertest"
	"github.com/goresque/goresque/internal/redistest"
)

func TestSiteListsEachPageOnce(t *testing.T) {
	t.Parallel()
	_, nav, ok := strings.Cut(read(t, "mkdocs.yml"), "\nnav:\n")
	require.True(t, ok)
	var listed []string
	for _, page := range regexp.MustCompile(`\S+\.md`).FindAllString(nav, -1) {
		listed = append(listed, "docs/"+page)
	}
	var pages []string
	for _, document := range documents(t) {
		if strings.HasPrefix(document, "docs/") {
			pages = append(pages, document)
		}
	}
	assert.ElementsMatch(t, pages, listed)
}

func TestSite(t *testing.T) {
	t.Parallel()
	mkdocs, err := exec.LookPath("mkdocs")
	redistest.Require(t, "mkdocs", err == nil)
	site := t.TempDir()
	out, err := exec.CommandContext(t.Context(), mkdocs, "build", "--strict", "--quiet",
		"--config-file", root+"/mkdocs.yml", "--site-dir", site).CombinedOutput()
	require.NoError(t, err, "%s", out)
	page, err := os.ReadFile(filepath.Join(site, "from-sidekiq", "index.html"))
	require.NoError(t, err)
	assert.Contains(t, string(page), `<ol start="3">`, "a list goes on with its number after a block of code")
	t.Run("in a browser", func(t *testing.T) { t.Parallel(); checkSite(t, site) })
}

// contrast is the contrast of the first link of a page's text, as WCAG 2 defines it.
const contrast = `(() => {
	const light = color => {
		const [r, g, b] = color.match(/[\d.]+/g).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		return 0.2126 * r + 0.7152 * g + 0.0722 * b
	}
	const link = document.querySelector("article p a, article td a")
	const [a, b] = [getComputedStyle(link).color, getComputedStyle(document.body).backgroundColor].map(light)
	return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
})()`

// The pages of the site load nothing from other hosts, are readable in light and dark, and
// fit on the screen of a phone. The search finds a page.
func checkSite(t *testing.T, site string) {
	t.Helper()
	server := httptest.NewServer(http.FileServer(http.Dir(site)))
	t.Cleanup(server.Close)
	tab := browsertest.Start(t)
	tab.Do(browsertest.Viewport(390, 844))
	for _, page := range []string{"/", "/ruby/", "/operations/", "dark"} {
		path, scheme := page, "light"
		if page == "dark" {
			path, scheme = "/start/", "dark"
		}
		tab.Prefer(scheme, true)
		tab.Do(browsertest.Navigate(server.URL + path))
		if scheme == "dark" { // the page remembers the scheme of the first visit
			tab.Do(browsertest.Run("localStorage.clear()"), browsertest.Reload())
		}
		assert.Equal(t, scheme == "dark", browsertest.Ask[bool](tab, `document.body.dataset.mdColorScheme == "slate"`), "%s is %s", path, scheme)
		assert.GreaterOrEqual(t, browsertest.Ask[float64](tab, contrast), 4.5, "%s: links in %s", path, scheme)
		assert.LessOrEqual(t, browsertest.Ask[int](tab, "document.documentElement.scrollWidth"), 390, "%s is not wider than the screen", path)
		for _, address := range browsertest.Ask[[]string](tab, `performance.getEntriesByType("resource").map(e => e.name)`) {
			assert.True(t, strings.HasPrefix(address, server.URL), "%s loads %s", path, address)
		}
	}
	const search = "input[data-md-component=search-query]"
	tab.Do(browsertest.Viewport(1280, 900), browsertest.Navigate(server.URL),
		// The theme never answers what is typed before it has loaded its index.
		browsertest.Becomes(`!document.querySelector(".md-search-result__meta").textContent.includes("Initializing")`),
		browsertest.Run("document.querySelector('"+search+"').focus()"), browsertest.Keys("outbox"),
		browsertest.Becomes(`[...document.querySelectorAll(".md-search-result__link")].some(a => a.pathname == "/outbox/")`))
	assert.Empty(t, tab.Complaints())
}

// README and start page show the same example, which is a part of a program.
func TestREADMEShowsAProgram(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```")
	example := blocks.FindStringSubmatch(read(t, "README.md"))
	require.NotNil(t, example)
	assert.Contains(t, read(t, "examples/first/main.go"), example[1])
	assert.Equal(t, example[0], blocks.FindString(read(t, "docs/index.md")))
}
