package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// browser starts a Chromium that ends with the test, or skips it.
func browser(t *testing.T, flags ...chromedp.ExecAllocatorOption) context.Context {
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

// run does what a reader does, in at most half a minute.
func run(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) { //nolint:revive // it is t's helper
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	if err := chromedp.Do(limited, actions...); err != nil {
		page, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`)) // the error is told anyway
		require.NoError(t, err, "%s", page)
	}
}

// listen serves the dashboard at /resque/ on a port of its own.
func (s *site) listen() string {
	s.t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/resque/", http.StripPrefix("/resque", s.dashboard))
	server := httptest.NewServer(mux)
	s.t.Cleanup(server.Close)
	return server.URL + "/resque"
}

// visible waits until a text is on the page.
func visible(text string) chromedp.Action[chromedp.Void] {
	return becomes(`document.readyState === "complete" && document.body.innerText.includes(` + quoted(text) + `)`)
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

func writeFile(t *testing.T, name string, body []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, body, 0o644))
}

// complaint is what a browser's event says that went wrong on a page.
func complaint(ev any) string {
	switch e := ev.(type) {
	case *log.EventEntryAdded:
		return e.Entry.Text
	case *runtime.EventExceptionThrown:
		return e.ExceptionDetails.Text
	}
	return ""
}

// proxied is a Redis with a slow way to it.
type proxied struct {
	server, slow *redistest.Server
	proxy        *redistest.Proxy
}

func startProxied(t *testing.T) proxied {
	t.Helper()
	server := redistest.Start(t)
	proxy := server.Proxy(t)
	return proxied{server, &redistest.Server{URL: proxy.URL}, proxy}
}
