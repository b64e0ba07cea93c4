package browsertest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/browsertest"
)

// page serves a page and returns its URL.
func page(t *testing.T, html string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(rw, html)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// The page replaces its button again and again. It must get each click once.
func TestClickWorksOnAPageThatReplacesItsElements(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	url := page(t, `<main></main><script>
		let clicks = 0, swaps = 0;
		setInterval(() => {
			swaps++;
			document.querySelector("main").innerHTML = swaps % 3 ? "<button onclick='clicks++'>Go</button>" : "";
		}, 0);
	</script>`)
	tab.Do(browsertest.Navigate(url))
	for range 100 {
		tab.Do(browsertest.Click("button"))
	}
	assert.Equal(t, 100, browsertest.Ask[int](tab, `clicks`))
	assert.Positive(t, browsertest.Ask[int](tab, `swaps`))
}

func TestClickWaitsUntilAVisitorCouldClick(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	for name, hinder := range map[string]struct{ with, without string }{
		"hidden":    {`b.hidden = true`, `b.hidden = false`},
		"invisible": {`b.style.visibility = "hidden"`, `b.style.visibility = ""`},
		"disabled":  {`b.disabled = true`, `b.disabled = false`},
		"covered":   {`c.showModal()`, `c.close()`},
		"missing":   {`b.remove()`, `document.body.append(b)`},
	} {
		tab.Do(browsertest.Navigate(page(t, `<button id="b">Go</button><dialog id="c">Wait</dialog><script>
			const b = document.getElementById("b"), c = document.getElementById("c");
			let free = false, early = false, clicks = 0;
			b.onclick = () => { clicks++; early ||= !free; };
			`+hinder.with+`;
			setTimeout(() => { free = true; `+hinder.without+` }, 200);
		</script>`)), browsertest.Click("#b"))
		assert.False(t, browsertest.Ask[bool](tab, `early`), name)
		assert.Equal(t, 1, browsertest.Ask[int](tab, `clicks`), name)
	}
}

func TestFillSendsEventsAndSubmitSendsTheForm(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	url := page(t, `<form><input name="a" value="old"><button name="by" value="button">Send</button></form>
		<script>let heard = []; for (const type of ["input", "change"]) document.addEventListener(type, () => heard.push(type));</script>`)
	tab.Do(browsertest.Navigate(url), browsertest.Fill(`[name="a"]`, `it's "new"`))
	assert.Equal(t, []string{"input", "change"}, browsertest.Ask[[]string](tab, `heard`))
	tab.Do(browsertest.Submit(`[name="a"]`), browsertest.Becomes(`location.search === "?a=it%27s+%22new%22&by=button"`))
}
