package web_test

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

func TestEveryPageAnswers(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fill()
	for _, path := range pagePaths {
		a := s.get(path)
		assert.Equal(t, http.StatusOK, a.Code, "%s: %s", path, a.Body)
	}
}

// A dashboard parses a template when a page needs it. So this test looks for mistakes.
func TestTemplatesOfAllLanguagesAreSound(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("templates/*.html")
	require.NoError(t, err)
	n, err := web.Pages(open(t, web.Config{}).dashboard)
	require.NoError(t, err)
	assert.Equal(t, 6*(len(files)-2), n, "six languages; layout and parts are in every page")
}

// pagePaths has one path for each kind of page, with the data of fill.
var pagePaths = []string{ //nolint:gochecknoglobals // a table
	"/", "/overview", "/queues", "/queues?sort=size&empty=hide", "/queues/exports", "/queues/mailers", "/queues/search_index?page=3",
	"/queues/exports?q=421", "/queues/low", "/working", "/working/web-1.example.com:4212:exports,mailers",
	"/workers", "/workers/all", "/workers/web-1.example.com", "/workers/worker-3.example.com:31007:billing,reports",
	"/failed", "/failed?page=3", "/failed?class=Exporter", "/failed?view=groups", "/failed?view=hours", "/failed?q=nothing+like+that",
	"/failed/requeue/3", "/failed/remove/3", "/stats", "/stats/resque", "/stats/redis", "/stats/keys",
	"/schedule", "/schedule?q=report", "/delayed", "/delayed?class=Reminder", "/delayed?q=nothing+like+that", "/delayed/4102444800", "/delayed/jobs/Reminder?args=[4200]",
	"/delayed/search?search=charge", "/delayed/search", "/retry", "/retry?class=ChargeCard", "/retry?q=nothing+like+that", "/retry/4102444800", "/batches", "/batches/" + nightlyBatch, "/limits", "/locks", "/doctor",
	"/statuses", "/statuses/" + runningStatus, "/statuses/" + runningStatus + ".js",
	"/history", "/history?window=180d&sort=p95",
	"/trash", "/stats/keys/queue:exports", "/stats/keys/workers", "/stats/keys/stat:processed", "/stats/keys/workers:heartbeat",
}
