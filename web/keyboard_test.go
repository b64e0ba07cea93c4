package web_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/browsertest"
	"github.com/goresque/goresque/web"
)

// walk is what a person sees who presses Tab until the focus is at the beginning again.
type walk struct {
	Ended                       bool
	Unreached, Hidden, Unmarked []string
}

// recordFocus notes each element that gets the focus, and how it looks then.
const recordFocus = `(() => {
	const name = (el) => el.outerHTML.slice(0, 160).replace(/\s+/g, " ");
	const wanted = new Set([...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")].filter((el) =>
		el.checkVisibility({visibilityProperty: true}) && !el.matches(":disabled, [type=hidden]")));
	const seen = new Set(), found = {Ended: false, Hidden: [], Unmarked: []};
	let first = null;
	document.addEventListener("focusin", (e) => {
		const el = e.target;
		if (el === first) found.Ended = true;
		if (seen.has(el)) return;
		first ??= el;
		seen.add(el);
		const style = getComputedStyle(el), box = el.getClientRects()[0];
		if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) found.Unmarked.push(name(el));
		const top = document.elementFromPoint(box.x + Math.min(box.width / 2, 20), box.y + box.height / 2);
		if (!el.contains(top) && !el.matches(".skip")) found.Hidden.push(name(el) + " is covered by " + (top ? name(top) : "nothing"));
	});
	window.walked = () => ({...found, Unreached: [...wanted].filter((el) => el.isConnected && !seen.has(el)).map(name)});
})()`

// Every link, button and field can be reached with Tab, shows that it has the focus, and is
// not covered then. The focus gets out of everything.
func TestBrowserTabReachesEverything(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{Refresh: -1, PerPage: 4})
	s.fill()
	s.fillHistory()
	s.removed()
	base := s.listen()
	tab := browsertest.Start(t)
	tab.Prefer("light", true)
	for width, paths := range map[int][]string{
		1280: {
			"/overview", "/queues", "/queues/mailers", "/working", "/workers?sort=heartbeat", "/failed", "/failed?view=groups", "/failed?view=hours",
			"/schedule", "/delayed", "/retry", "/batches?sort=name", "/statuses?sort=state", "/limits?sort=waiting", "/locks?sort=class", "/doctor",
			"/trash", "/history", "/stats/keys?sort=size", "/failed/remove/3", s.href("/failed", "failures/"),
		},
		320: {"/queues/mailers", "/failed", "/failed?view=hours", "/locks?sort=class", "/doctor"},
	} {
		for _, path := range paths {
			tab.Do(browsertest.Viewport(width, 800), browsertest.Navigate(base+path), browsertest.Run(recordFocus))
			var w walk
			for range 60 {
				tab.Do(browsertest.Keys(strings.Repeat("\t", 10)))
				if w = browsertest.Ask[walk](tab, `walked()`); w.Ended {
					break
				}
			}
			assert.True(t, w.Ended, "%s, %d px: the focus does not come back to the beginning", path, width)
			assert.Empty(t, w.Unreached, "%s, %d px", path, width)
			assert.Empty(t, w.Unmarked, "%s, %d px: no mark of the focus", path, width)
			assert.Empty(t, w.Hidden, "%s, %d px", path, width)
		}
	}
}

// The menu opens with Enter, and closes when the focus leaves it, so that it covers nothing.
func TestBrowserMenuClosesWhenTheFocusLeaves(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{Refresh: -1})
	s.fill()
	tab := browsertest.Start(t)
	tab.Do(browsertest.Navigate(s.listen()+"/overview"), browsertest.Run(`document.querySelector(".more summary").focus()`),
		browsertest.Keys("\r"), browsertest.Becomes(`document.querySelector(".more").open`), browsertest.Keys("\t"),
		browsertest.Becomes(`document.activeElement.closest(".more") && document.querySelector(".more").open`), browsertest.Keys(strings.Repeat("\t", 4)),
		browsertest.Becomes(`!document.activeElement.closest(".more") && !document.querySelector(".more").open`))
}

// The heading by which a table is sorted says so, and no other heading does.
func TestSortedHeadingsSaySo(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{Refresh: -1})
	s.fill()
	for _, path := range []string{
		"/overview", "/queues", "/working", "/workers", "/failed?view=groups", "/schedule", "/batches", "/statuses", "/limits", "/locks", "/stats/keys",
	} {
		headings := 0
		for _, th := range elements(parse(t, s.get(path).Body.String()), "th") {
			links := elements(th, "a")
			if attr(th, "scope") != "col" || len(links) == 0 {
				continue
			}
			headings++
			page := s.get(strings.Split(path, "?")[0] + attr(links[0], "href")).Body.String()
			var sorted []string
			for _, table := range elements(parse(t, page), "table") {
				says := []string{}
				for _, other := range elements(table, "th") {
					if order := attr(other, "aria-sort"); order != "" {
						says = append(says, other.words())
						require.Contains(t, []string{"ascending", "descending"}, order)
					}
				}
				assert.LessOrEqual(t, len(says), 1, "%s: %v", path, says)
				sorted = append(sorted, says...)
			}
			assert.Contains(t, strings.Join(sorted, ""), strings.TrimRight(th.words(), " ▴▾"), "%s%s", path, attr(links[0], "href"))
		}
		assert.Positive(t, headings, path)
	}
}
