package web_test

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

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
	web.Measured(s.dashboard, time.Now(), rand.New(rand.NewPCG(3, 4)))
	base := s.listen()
	ctx := browsertest.Start(t)
	for name, look := range map[string]struct {
		theme         string
		width, height int64
	}{"light": {"light", 1280, 860}, "dark": {"dark", 1280, 860}, "mobile": {"light", 390, 844}} {
		for page, path := range map[string]string{
			"overview": "/overview", "queues": "/queues", "queue": "/queues/mailers", "queue-empty": "/queues/low", "working": "/working",
			"job": "/working/web-1.example.com:4212:exports,mailers", "workers": "/workers",
			"worker": "/workers/worker-3.example.com:31007:billing,reports", "failed": "/failed", "failed-filter": "/failed?class=Exporter",
			"trash": "/trash", "queue-filter": "/queues/mailers?dir=desc&class=InvoiceMailJob", "gone": "/failures/0-0123456789abcdef",
			"failed-groups": "/failed?view=groups", "failed-none": "/failed?q=nothing+like+that", "failed-ask": "/failed/remove/3",
			"failure": s.href("/failed", "failures/"), "stats": "/stats", "stats-redis": "/stats/redis", "stats-keys": "/stats/keys",
			"stats-key": "/stats/keys/queue:exports", "missing": "/nothing",
		} {
			s.do("INCRBY", "resque:stat:processed", 20) // jobs are still being processed
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.theme}},
			})
			require.NoError(t, err)
			run(t, ctx, chromedp.EmulateViewport(look.width, look.height), chromedp.Navigate(base+path))
			picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			require.NoError(t, err)
			writeFile(t, filepath.Join(*screenshots, name, page+".png"), picture)
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
	ctx := browsertest.Start(t)
	for name, p := range map[string]struct {
		path, theme   string
		width, height int64
	}{
		"dashboard":         {"/overview", "light", 1120, 860},
		"dashboard-failed":  {"/failed", "dark", 1120, 760},
		"dashboard-workers": {"/workers", "light", 1120, 760},
		"dashboard-mobile":  {"/failed?class=Exporter", "light", 390, 844},
	} {
		s.do("INCRBY", "resque:stat:processed", 20)
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: p.theme}},
		})
		require.NoError(t, err)
		run(t, ctx, chromedp.EmulateViewport(p.width, p.height), chromedp.Navigate(base+p.path))
		picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		require.NoError(t, err)
		writeFile(t, filepath.Join(*screenshots, "docs", name+".png"), picture)
	}
}
