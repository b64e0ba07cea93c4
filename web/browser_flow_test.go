package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/browsertest"
	"github.com/goresque/goresque/web"
)

func click(selector string) browsertest.Step { return browsertest.Click(selector) }

// at waits until a page and its script are loaded.
func at(page string) browsertest.Step {
	return browsertest.Becomes(`document.readyState === "complete" && location.pathname.endsWith("/` + page + `")`)
}

// keys presses keys at the focus.
func keys(text string) browsertest.Step { return browsertest.Keys(text) }

func TestBrowserFilterSelectRetryUndo(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	s := open(t, web.Config{Refresh: time.Second})
	s.failures(9)
	base := s.listen()
	tab.Do(browsertest.Navigate(base+"/failed"), browsertest.Visible("no room left on the disk"),
		browsertest.Fill(`input[name="class"]`, "Mailer"), browsertest.Submit(`input[name="class"]`), browsertest.Visible("3 match."),
		click(`.failures li:nth-child(1) .pick`), click(`.failures li:nth-child(2) .pick`),
		click(`.bulk button:not(.danger)`), browsertest.Visible("Retried 2 failures."), browsertest.Becomes(`location.search.includes("class=Mailer")`))
	assert.Len(t, s.list("resque:queue:mailers"), 2)
	tab.Do(browsertest.Visible("retried"), click(`[data-all]`), click(`.bulk .danger`), browsertest.Visible("Remove 3 failures?"),
		click(`.ask .danger`), browsertest.Visible("Removed 3 failures."))
	assert.Len(t, s.list("resque:failed"), 6)
	tab.Do(click(`.flash button`), browsertest.Visible("Restored 3 entries."))
	assert.Len(t, s.list("resque:failed"), 9)
	tab.Do(browsertest.Navigate(base+"/failed"), click(`.bulk button.danger`), browsertest.Visible("Select at least one row first."))
	assert.Len(t, s.list("resque:failed"), 9)
}

// Rows stay selected while the page refreshes. New rows appear when nothing is
// selected any more.
func TestBrowserRefreshPausesForSelection(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	s := open(t, web.Config{Refresh: time.Second})
	s.failures(4)
	tab.Do(browsertest.Navigate(s.listen()+"/failed"), browsertest.Visible("Mailer"),
		click(`.failures li:nth-child(2) .pick`), browsertest.Visible("Not updating while rows are selected."))
	s.fail(record("Newcomer", "[]", "E", "came later", "exports", time.Now(), ""))
	for range 2 { // a refresh would have happened
		tab.Do(browsertest.Becomes(`document.getElementById("live").textContent = "", true`), browsertest.Visible("Not updating while rows are selected."))
	}
	assert.False(t, browsertest.Ask[bool](tab, `document.body.innerText.includes("Newcomer")`), "not while a row is selected")
	assert.True(t, browsertest.Ask[bool](tab, `!!document.querySelector(".pick:checked")`))
	tab.Do(click(`.failures li:nth-child(2) .pick`), browsertest.Visible("Newcomer"), browsertest.Visible("Updated"))

	// Open details stay open, the focus stays, and the page is not reloaded.
	tab.Do(browsertest.Run(`window.mark = 1; document.querySelectorAll("details")[1].open = true; document.querySelectorAll("[data-open]")[1].focus()`))
	s.fail(record("Another", "[]", "E", "came later", "exports", time.Now(), ""))
	tab.Do(browsertest.Visible("Another"), browsertest.Becomes(`window.mark === 1 && document.querySelectorAll("details[open]").length === 1`),
		browsertest.Becomes(`document.activeElement.matches("[data-open]")`))
}

func TestBrowserBulkWithProgress(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	server := startProxied(t)
	s := openOn(t, server.server, web.Config{Refresh: time.Second})
	s.many(3000)
	slow := &site{t: t, server: server.server, conn: s.conn, dashboard: newDashboard(t, server.slow, web.Config{Refresh: time.Second})}
	web.Quickly(slow.dashboard, 0)
	base := slow.listen()
	tab.Do(browsertest.Navigate(base+"/failed"), browsertest.Visible("3,000"), click(`.head form:first-child button`),
		browsertest.Visible("Retry 3,000 failures?"), browsertest.Fill(`input[name="typed"]`, "3000"))
	release := server.proxy.HoldCommands(acting)
	defer release()
	tab.Do(click(`.ask .danger`), browsertest.Visible("In progress"), browsertest.Visible("checked"))
	release()
	tab.Do(browsertest.Visible("Done"), browsertest.Visible("3,000 done")) // the page refreshes by itself
	assert.Equal(t, 3000, s.length("resque:queue:exports"))
}

func TestBrowserKeyboard(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	s := open(t, web.Config{Refresh: -1})
	s.failures(3)
	base := s.listen()
	tab.Do(browsertest.Navigate(base+"/overview"), browsertest.Visible("Overview"), keys("f"), browsertest.Visible("no room left"))
	tab.Do(keys("jj"), browsertest.Becomes(`[...document.querySelectorAll("[data-row]")][1].classList.contains("at")`),
		keys("x"), browsertest.Becomes(`document.querySelectorAll(".pick:checked")[0]?.closest("[data-row]").classList.contains("at")`),
		keys("x"), keys("n"), keys("r"), browsertest.Visible("Retried 1 job."))
	assert.Equal(t, []string{`{"class":"Mailer","args":[2]}`}, s.list("resque:queue:mailers"))
	tab.Do(keys("?"), browsertest.Becomes(`document.getElementById("help").open`), browsertest.Run(`document.getElementById("help").close()`),
		keys("/"), browsertest.Becomes(`document.activeElement.matches("[data-search]")`), keys("wjx"), browsertest.Becomes(`document.activeElement.value.endsWith("wjx")`),
		browsertest.Run(`document.activeElement.blur()`),
		keys("t"), browsertest.Becomes(`document.documentElement.dataset.theme === "dark"`),
		keys("q"), at("queues"), browsertest.Becomes(`document.documentElement.dataset.theme === "dark"`),
		keys("k"), browsertest.Visible("No worker is registered"), keys("s"), at("stats"), keys("w"), browsertest.Visible("No worker is running"))
	tab.Do(browsertest.Navigate(base+"/failed"), browsertest.Visible("Exporter"), keys("j"), keys("\r"), browsertest.Visible("Edit and retry"))
	tab.Do(keys("?"), browsertest.Becomes(`document.getElementById("help").open`), click(`[data-keys]`), browsertest.Run(`document.getElementById("help").close()`),
		keys("o"), browsertest.Reload(), browsertest.Visible("Edit and retry"), keys("o"), browsertest.Becomes(`location.pathname.includes("failures/")`))
}

// Two browsers act on the same failure. One succeeds, and the other gets an error
// page.
func TestBrowsersRaceOnOneFailure(t *testing.T) {
	t.Parallel()
	first := browsertest.Start(t)
	second := browsertest.Start(t)
	s := open(t, web.Config{Refresh: -1})
	s.failures(3)
	base := s.listen()
	for _, b := range []*browsertest.Tab{first, second} {
		b.Do(browsertest.Navigate(base+"/failed"), browsertest.Visible("Mailer"))
	}
	first.Do(click(`.failures li:nth-child(2) .acts button:last-child`), browsertest.Visible("Removed 1 failure."))
	second.Do(click(`.failures li:nth-child(2) .acts button:first-child`), browsertest.Visible("It has changed since the page was loaded"))
	assert.Empty(t, s.list("resque:queue:exporters"))
	assert.Empty(t, s.list("resque:queue:mailers"), "no other job was retried")
	assert.Len(t, s.list("resque:failed"), 2)
}

// Everything important works without JavaScript.
func TestBrowserWithoutJavaScript(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	tab.DisableScripts()
	s := open(t, web.Config{})
	s.failures(6)
	s.jobs("exports", four...)
	base := s.listen()
	tab.Do(browsertest.Navigate(base + "/failed"))
	tab.Do(browsertest.Fill(`input[name="class"]`, "Mailer"), click(`.filter button`), browsertest.Present(`.count`))
	tab.Do(click(`.failures li:first-child .acts button:first-child`), browsertest.Present(`.flash`))
	s.holds("resque:queue:mailers", 1)
	tab.Do(click(`.failures li:nth-child(2) .acts button:last-child`), browsertest.Present(`.flash button`))
	s.holds("resque:failed", 5)
	tab.Do(click(`.flash button`), browsertest.Present(`.flash:not(:has(button))`))
	s.holds("resque:failed", 6)
	tab.Do(browsertest.Navigate(base+"/failed"), click(`.head form:last-child button`), browsertest.Present(`.ask`), click(`.ask button`), browsertest.Present(`.flash`))
	s.holds("resque:failed", 0)
	tab.Do(browsertest.Navigate(base+"/queues/exports"), click(`tbody tr:nth-child(2) input`), click(`.bulk .danger`), browsertest.Present(`.flash`))
	s.holds("resque:queue:exports", 3)
	tab.Do(browsertest.Fill(`select[name="theme"]`, "dark"), click(`.choices button`), browsertest.Present(`html[data-theme="dark"]`))
}

// No page is wider than the window of a small phone, also in a language that is written from
// right to left, and the page's own policy blocks
// nothing on it.
func TestBrowserSmallAndQuiet(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	s := open(t, web.Config{Refresh: -1, PerPage: 10})
	s.fill()
	s.jobs("a-queue-with-a-very-long-name-that-goes-on-and-on-without-a-break-for-a-hundred-letters-or-even-more", `{"class":"`+strings.Repeat("Long", 40)+`","args":["`+strings.Repeat("x", 500)+`"]}`)
	base := s.listen()
	for _, path := range append(pagePaths, s.href("/failed", "failures/"), "/nothing") {
		tab.Do(browsertest.Viewport(320, 640), browsertest.Navigate(base+path), browsertest.Run(`for (const d of document.querySelectorAll(".more")) d.open = true`))
		for _, width := range []int{320, 1280} {
			tab.Do(browsertest.Viewport(width, 800))
			for dir, l := range browsertest.Ask[map[string]layout](tab, measureLayout) {
				assert.LessOrEqual(t, l.Width, float64(width), "%s, %s", path, dir)
				if l.Page && width == 1280 { // in a narrow window, the navigation is below
					assert.Equal(t, dir == "ltr", l.NameIsLeft, "%s, %s: the navigation follows the name", path, dir)
				}
			}
		}
	}
	for _, text := range tab.Complaints() {
		assert.Contains(t, text, "404", "the browser complains")
	}
}

// layout is how a page is laid out in one direction of writing.
type layout struct {
	Width      float64
	Page       bool // it has the header of the pages
	NameIsLeft bool // left of the navigation
}

const measureLayout = `(() => {
	const found = {};
	for (const dir of ["rtl", "ltr"]) {
		document.documentElement.dir = dir;
		const name = document.querySelector(".brand"), tabs = document.querySelector(".top nav");
		found[dir] = {Width: document.documentElement.scrollWidth, Page: tabs !== null,
			NameIsLeft: tabs !== null && name.getBoundingClientRect().left < tabs.getBoundingClientRect().left};
	}
	return found;
})()`

// A question is a dialog over the page. Afterwards the user is back on that page.
func TestBrowserAsksInADialog(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	s := open(t, web.Config{Refresh: -1})
	s.failures(4)
	s.jobs("exports", four...)
	base := s.listen()
	tab.Do(browsertest.Navigate(base+"/failed?class=Exporter"), browsertest.Visible("3 match."), click(`.head form:last-child button`), browsertest.Visible("Remove 3 failures?"),
		browsertest.Becomes(`document.getElementById("ask").open && location.search === "?class=Exporter"`),
		click(`#ask a`), browsertest.Becomes(`!document.getElementById("ask").open && document.activeElement.closest(".head") !== null`))
	assert.Len(t, s.list("resque:failed"), 4)
	tab.Do(click(`.head form:last-child button`), browsertest.Visible("Remove 3 failures?"), click(`#ask .danger`), browsertest.Visible("Removed 3 failures."))
	assert.Len(t, s.list("resque:failed"), 1)
	tab.Do(browsertest.Navigate(base+"/trash"), browsertest.Visible("3"), click(`tbody button`), browsertest.Visible("Restored 3 entries."), browsertest.Visible("Nothing was removed recently"))
	tab.Do(browsertest.Navigate(base+"/queues/exports?class=A"), browsertest.Visible("1 match"), click(`.count button`), browsertest.Visible("Remove 1 job?"), click(`#ask .danger`), browsertest.Visible("Removed 1 job."))
	s.holds("resque:queue:exports", 3)
	tab.Do(browsertest.Navigate(base+"/queues/exports"), click(`tbody tr:first-child summary`), click(`tbody tr:first-child [data-copy]`),
		browsertest.Becomes(`document.getElementById("live").textContent === "Copied." || getSelection().toString().includes("class")`))
}
