// Package browsertest lets tests use pages in a real Chromium.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// patience is how long one step may take. Only a failing test waits so long.
const patience = time.Minute

// Start starts a Chromium that stops when the test ends. It skips the test if
// Chromium is not installed.
func Start(t testing.TB, flags ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	redistest.Require(t, "chromium", err == nil)
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WSURLReadTimeout(patience), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-background-timer-throttling", true), chromedp.Flag("disable-renderer-backgrounding", true))
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), append(options, flags...)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	return ctx
}

// Do performs the steps of a visitor, one after the other. If a step takes longer
// than a minute, Do fails the test and shows the page's text.
func Do(t testing.TB, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) { //nolint:revive // it is t's helper
	t.Helper()
	for i, step := range steps {
		limited, cancel := context.WithTimeout(ctx, patience)
		err := chromedp.Do(limited, step)
		cancel()
		if err != nil {
			require.NoError(t, err, "step %d of %d, on the page:\n%s", i+1, len(steps), text(ctx))
		}
	}
}

// text returns the page's address and visible text for a failure message.
func text(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	page, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return page
}

// Becomes waits until a JavaScript expression is true.
func Becomes(expression string) chromedp.Action[chromedp.Void] {
	return until(`(`+expression+`) ? "" : "false"`, expression)
}

// Visible waits until a text is on the page, and the page is complete.
func Visible(text string) chromedp.Action[chromedp.Void] {
	return Becomes(`document.readyState === "complete" && document.body.innerText.includes(` + quote(text) + `)`)
}

// Present waits until an element is on the page, and the page is complete.
func Present(selector string) chromedp.Action[chromedp.Void] {
	return Becomes(`document.readyState === "complete" && document.querySelector(` + quote(selector) + `) !== null`)
}

// gesture lets the page treat what a script does as an action of the visitor.
func gesture(p *runtime.EvaluateParams) {
	trusted := true
	p.UserGesture = &trusted
}

// until evaluates an expression again and again until its value is the empty string.
// Another value describes what is missing. An evaluation can fail while the browser
// loads the next page, so until retries after errors.
func until(expression, what string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		last := errors.New("no answer")
		for {
			missing, err := chromedp.Evaluate[string](expression, gesture)(ctx, target)
			switch {
			case err == nil && missing == "":
				return chromedp.Void{}, nil
			case err == nil:
				last = errors.New(missing)
			case ctx.Err() == nil:
				last = err
			}
			select {
			case <-ctx.Done():
				return chromedp.Void{}, fmt.Errorf("waiting for %s: %w: %w", what, ctx.Err(), last)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}
