// Package browsertest has tests look at pages with a real Chromium.
package browsertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// Start starts a Chromium that ends with the test, or skips it.
func Start(t testing.TB, flags ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	redistest.Require(t, "chromium", err == nil)
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-background-timer-throttling", true), chromedp.Flag("disable-renderer-backgrounding", true))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 8*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(options, flags...)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	return ctx
}

// Do has the browser do what a visitor does. Where it takes longer than most, the
// test fails and shows the page's text.
func Do(t testing.TB, ctx context.Context, most time.Duration, actions ...chromedp.Action[chromedp.Void]) { //nolint:revive // it is t's helper
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if err := chromedp.Do(limited, actions...); err != nil {
		page, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`)) // the error is told anyway
		require.NoError(t, err, "%s", page)
	}
}

// Becomes waits until an expression is true.
func Becomes(expression string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		for {
			ok, err := chromedp.Evaluate[bool](expression)(ctx, target)
			if ok && err == nil {
				return chromedp.Void{}, nil
			}
			select { // a page that is being left has no answer
			case <-ctx.Done():
				return chromedp.Void{}, fmt.Errorf("waiting for %s: %w", expression, errors.Join(ctx.Err(), err))
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

// Visible waits until a text is on the page, and the page is whole.
func Visible(text string) chromedp.Action[chromedp.Void] {
	quoted, _ := json.Marshal(text) // no text fails
	return Becomes(`document.readyState === "complete" && document.body.innerText.includes(` + string(quoted) + `)`)
}
