//go:build unix

package main_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/browsertest"
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
	ctx := browsertest.Start(t)
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		limited, cancel := context.WithTimeout(ctx, 2*patience)
		defer cancel()
		require.NoError(t, chromedp.Do(limited, actions...), "%s", f.said)
	}
	do(chromedp.Navigate(url), browsertest.Becomes(`document.querySelector('form[action="/exports"] button') !== null`))
	do(chromedp.Click(`form[action="/exports"] button`), browsertest.Becomes(`document.body.innerText.includes('Your export is being created, please wait.')`))
	do(browsertest.Becomes(`document.querySelector('.spinner') !== null`))
	do(browsertest.Becomes(`document.querySelector('a[href="/exports/1/download"]') !== null`))
	assert.Equal(t, "ready", show(t, url+"/1").State)
	f.terminate(t)
}
