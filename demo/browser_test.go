package demo

import (
	"fmt"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/internal/browsertest"
)

// insist clicks, once on each loaded page, until an expression is true. One click is
// not enough: while a page reloads it ignores clicks.
func insist(selector, expression string) browsertest.Step {
	return browsertest.Becomes(fmt.Sprintf(`(%s) || ((el) => {
		if (!el || document.readyState !== "complete" || window.insisted) return false;
		window.insisted = true;
		el.click();
		return false;
	})(document.querySelector(%q))`, expression, selector))
}

func row(id int, state record.State) string {
	return fmt.Sprintf(`document.getElementById("export-%d")?.dataset.state === %q`, id, state)
}
