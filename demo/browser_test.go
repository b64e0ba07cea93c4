package demo

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/internal/browsertest"
)

// see has the browser do what a visitor does.
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

// insist clicks until an expression is true: a page that is loaded anew at that
// moment has no ear for a click.
func insist(selector, expression string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		for {
			soon, cancel := context.WithTimeout(ctx, 2*time.Second)
			_, _ = click(selector)(soon, target) // it may be gone, having been heard
			_, err := browsertest.Becomes(expression)(soon, target)
			cancel()
			if err == nil || ctx.Err() != nil {
				return chromedp.Void{}, err
			}
		}
	}
}

func row(id int, state record.State) string {
	return fmt.Sprintf(`document.getElementById("export-%d")?.dataset.state === %q`, id, state)
}
