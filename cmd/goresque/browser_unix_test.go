//go:build unix

package main_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// What a newcomer does: foreman start, open the page, press the button, and watch
// the export come.
func TestProcfileInABrowser(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	conn, port := s.Conn(t), redistest.FreePort(t)
	f := startFormation(t, s, "foreman", "start", "-p", port)
	url := "http://127.0.0.1:" + port + "/exports"
	f.eventually(t, "both processes are up", func() bool { return status(url) == http.StatusOK && len(workers(t, conn)) == 1 })
	ctx := browser(t)
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		limited, cancel := context.WithTimeout(ctx, 2*patience)
		defer cancel()
		require.NoError(t, chromedp.Do(limited, actions...), "%s", f.said)
	}
	do(chromedp.Navigate(url), becomes(`document.querySelector('form[action="/exports"] button') !== null`))
	do(chromedp.Click(`form[action="/exports"] button`), becomes(`document.body.innerText.includes('Your export is being created, please wait.')`))
	do(becomes(`document.querySelector('.spinner') !== null`))
	do(becomes(`document.querySelector('a[href="/exports/1/download"]') !== null`))
	assert.Equal(t, "ready", show(t, url+"/1").State)
	f.terminate(t)
}

// browser starts a Chromium that ends with the test, or skips it.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	redistest.Require(t, "chromium", err == nil)
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 8*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	return ctx
}

// becomes waits until an expression is true; a page that is being left has none.
func becomes(expression string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		for {
			ok, err := chromedp.Evaluate[bool](expression)(ctx, target)
			if ok && err == nil {
				return chromedp.Void{}, nil
			}
			select {
			case <-ctx.Done():
				return chromedp.Void{}, fmt.Errorf("waiting for %s: %w", expression, errors.Join(ctx.Err(), err))
			case <-time.After(pause):
			}
		}
	}
}
