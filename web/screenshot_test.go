package web_test

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/goresque/goresque/internal/browsertest"
	"github.com/goresque/goresque/web"
)

// To take them: go test ./web -run Screenshots -args -screenshots DIRECTORY.
var screenshots = flag.String("screenshots", "", "directory for pictures of every page")

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// TestScreenshots takes a picture of every page for people to look at: in light, in
// dark, and on a phone.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	if *screenshots == "" {
		t.Skip("-screenshots names no directory")
	}
	s := open(t, web.Config{Title: "Shop", Refresh: -1})
	s.fill()
	s.removed()
	s.fillHistory()
	web.Measured(s.dashboard, time.Now(), rand.New(rand.NewPCG(3, 4)))
	base := s.listen()
	tab := browsertest.Start(t)
	for name, look := range map[string]struct {
		theme         string
		width, height int
	}{"light": {"light", 1280, 860}, "dark": {"dark", 1280, 860}, "tablet": {"light", 800, 860}, "mobile": {"light", 390, 844}} {
		for page, path := range map[string]string{
			"overview": "/overview", "queues": "/queues", "queue": "/queues/mailers", "queue-empty": "/queues/low", "working": "/working",
			"job": "/working/web-1.example.com:4212:exports,mailers", "workers": "/workers",
			"worker": "/workers/worker-3.example.com:31007:billing,reports", "failed": "/failed", "failed-filter": "/failed?class=Exporter",
			"schedule": "/schedule", "delayed": "/delayed", "delayed-filter": "/delayed?class=ChargeCard", "delayed-second": "/delayed/4102444800",
			"retry": "/retry", "retry-filter": "/retry?class=ChargeCard", "retry-none": "/retry?q=nothing+like+that",
			"delayed-none": "/delayed?q=nothing+like+that", "search": "/delayed/search?search=charge",
			"doctor": "/doctor", "batches": "/batches", "batch": "/batches/" + nightlyBatch,
			"statuses": "/statuses", "status": "/statuses/" + runningStatus, "limits": "/limits", "locks": "/locks",
			"trash": "/trash", "queue-filter": "/queues/mailers?dir=desc&class=InvoiceMailJob", "gone": "/failures/0-0123456789abcdef",
			"failed-groups": "/failed?view=groups", "failed-hours": "/failed?view=hours", "failed-none": "/failed?q=nothing+like+that", "failed-ask": "/failed/remove/3",
			"failure": s.href("/failed", "failures/"), "stats": "/stats", "stats-redis": "/stats/redis", "stats-keys": "/stats/keys",
			"stats-key": "/stats/keys/queue:exports", "missing": "/nothing",
			"history": "/history", "history-long": "/history?window=180d", "history-hour": "/history?window=1h",
		} {
			s.do("INCRBY", "resque:stat:processed", 20) // jobs are still being processed
			tab.Prefer(look.theme, false)
			tab.Do(browsertest.Viewport(look.width, look.height), browsertest.Navigate(base+path))
			picture := tab.FullScreenshot()
			writeFile(t, filepath.Join(*screenshots, name, page+".png"), picture)
		}
		for page, path := range map[string]string{"menu": "/overview", "menu-locks": "/locks"} {
			tab.Do(browsertest.Navigate(base+path), browsertest.Run(`document.querySelector("details.more").open = true`))
			writeFile(t, filepath.Join(*screenshots, name, page+".png"), tab.Screenshot())
		}
	}
}

// TestPicturesOfTheDocumentation takes the pictures in docs/img.
func TestPicturesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	if *screenshots == "" {
		t.Skip("-screenshots names no directory")
	}
	s := open(t, web.Config{Title: "Shop", Refresh: -1})
	s.fill()
	web.Measured(s.dashboard, time.Now(), rand.New(rand.NewPCG(3, 4)))
	base := s.listen()
	tab := browsertest.Start(t)
	for name, p := range map[string]struct {
		path, theme   string
		width, height int
	}{
		"dashboard":          {"/overview", "light", 1120, 860},
		"dashboard-failed":   {"/failed", "dark", 1120, 760},
		"dashboard-workers":  {"/workers", "light", 1120, 760},
		"dashboard-delayed":  {"/delayed", "light", 1120, 760},
		"dashboard-schedule": {"/schedule", "light", 1120, 760},
		"dashboard-hours":    {"/failed?view=hours", "light", 1120, 720},
		"dashboard-mobile":   {"/failed?class=Exporter", "light", 390, 844},

		"dashboard-statuses":        {"/statuses", "light", 1120, 860},
		"dashboard-statuses-mobile": {"/statuses", "dark", 390, 844},
		"dashboard-batches":         {"/batches", "dark", 1120, 700},
		"dashboard-limits":          {"/limits", "light", 1120, 760},
		"dashboard-retries":         {"/retry", "dark", 1120, 860},
		"dashboard-locks":           {"/locks", "light", 1120, 760},
	} {
		s.do("INCRBY", "resque:stat:processed", 20)
		tab.Prefer(p.theme, false)
		tab.Do(browsertest.Viewport(p.width, p.height), browsertest.Navigate(base+p.path))
		picture := tab.Screenshot()
		writeFile(t, filepath.Join(*screenshots, "docs", name+".png"), picture)
	}
}
