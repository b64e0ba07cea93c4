//go:build unix

package main_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/browsertest"
	"github.com/goresque/goresque/internal/redistest"
)

// TestProcfileInABrowser does what a newcomer does: run foreman start, open the page,
// press the button and wait for the export.
func TestProcfileInABrowser(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	conn, port := s.Conn(t), redistest.FreePort(t)
	f := startFormation(t, s, "foreman", "start", "-p", port, "-t", "60")
	url := "http://127.0.0.1:" + port + "/exports"
	f.eventually(t, "both processes are up", func() bool { return status(url) == http.StatusOK && len(workers(t, conn)) == 1 })
	tab := browsertest.Start(t)
	tab.Do(browsertest.Navigate(url), browsertest.Click(`form[action="/exports"] button`),
		browsertest.Visible("Your export is being created, please wait."), browsertest.Present(".spinner"),
		browsertest.Present(`a[href="/exports/1/download"]`))
	assert.Equal(t, "ready", show(t, url+"/1").State)
	f.terminate(t)
}
