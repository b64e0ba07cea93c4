package demo

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/internal/browsertest"
)

// see performs the steps of a visitor in the browser.
func see(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) { //nolint:revive // it is t's helper
	t.Helper()
	browsertest.Do(t, ctx, actions...)
}

// ask evaluates an expression on the page.
func ask[T any](t *testing.T, ctx context.Context, expression string) T { //nolint:revive // it is t's helper
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(t, err, expression)
	return v
}

// insist clicks, once on each loaded page, until an expression is true. One click is
// not enough: while a page reloads it ignores clicks.
func insist(selector, expression string) chromedp.Action[chromedp.Void] {
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
