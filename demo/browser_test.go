package demo

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

// browserFor starts a Chromium that ends with the test, or skips it.
func browserFor(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	redistest.Require(t, "chromium", err == nil)
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-background-timer-throttling", true), chromedp.Flag("disable-renderer-backgrounding", true))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	return ctx
}

// see has the browser do what a visitor does, in less than a minute.
func see(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) { //nolint:revive // it is t's helper
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(limited, actions...); err != nil {
		page, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`)) // the error is told anyway
		require.NoError(t, err, "%s", page)
	}
}

// ask evaluates an expression on the page.
func ask[T any](t *testing.T, ctx context.Context, expression string) T { //nolint:revive // it is t's helper
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(t, err, expression)
	return v
}

// becomes waits until an expression is true.
func becomes(expression string) chromedp.Action[chromedp.Void] {
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

// insist clicks until an expression is true: a page that is loaded anew at that
// moment has no ear for a click.
func insist(selector, expression string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		for {
			soon, cancel := context.WithTimeout(ctx, 2*time.Second)
			_, _ = click(selector)(soon, target) // it may be gone, having been heard
			_, err := becomes(expression)(soon, target)
			cancel()
			if err == nil || ctx.Err() != nil {
				return chromedp.Void{}, err
			}
		}
	}
}

func visible(text string) chromedp.Action[chromedp.Void] {
	quoted, _ := json.Marshal(text)
	return becomes(`document.readyState === "complete" && document.body.innerText.includes(` + string(quoted) + `)`)
}

func row(id int, state State) string {
	return fmt.Sprintf(`document.getElementById("export-%d")?.dataset.state === %q`, id, state)
}
