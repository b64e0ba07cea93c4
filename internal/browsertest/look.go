package browsertest

import (
	"context"
	"math"
)

// Viewport sets the size of the page.
func Viewport(width, height int) Step {
	return func(ctx context.Context, tab *Tab) error {
		size := params{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}
		return tab.call(ctx, "Emulation.setDeviceMetricsOverride", size, nil)
	}
}

// Prefer sets the color scheme, "light" or "dark", and whether the visitor wants no
// animations.
func (tab *Tab) Prefer(scheme string, still bool) {
	tab.t.Helper()
	motion := "no-preference"
	if still {
		motion = "reduce"
	}
	tab.must("Emulation.setEmulatedMedia", params{"features": []params{
		{"name": "prefers-color-scheme", "value": scheme},
		{"name": "prefers-reduced-motion", "value": motion},
	}}, nil)
}

// DisableScripts stops the scripts of the pages. Steps work without them.
func (tab *Tab) DisableScripts() {
	tab.t.Helper()
	tab.must("Emulation.setScriptExecutionDisabled", params{"value": true}, nil)
}

// DownloadTo sets the directory for downloads.
func (tab *Tab) DownloadTo(dir string) {
	tab.t.Helper()
	tab.must("Browser.setDownloadBehavior", params{"behavior": "allow", "downloadPath": dir}, nil)
}

// Screenshot returns a picture of the visible part of the page, as PNG.
func (tab *Tab) Screenshot() []byte {
	tab.t.Helper()
	return tab.picture(params{"format": "png"})
}

// FullScreenshot returns a picture of the whole page, as PNG.
func (tab *Tab) FullScreenshot() []byte {
	tab.t.Helper()
	var metrics struct {
		CSSContentSize struct{ Width, Height float64 } `json:"cssContentSize"`
	}
	tab.must("Page.getLayoutMetrics", nil, &metrics)
	size := metrics.CSSContentSize
	return tab.picture(params{"format": "png", "captureBeyondViewport": true, "clip": params{
		"x": 0, "y": 0, "width": math.Ceil(size.Width), "height": math.Ceil(size.Height), "scale": 1,
	}})
}

func (tab *Tab) picture(args params) []byte {
	tab.t.Helper()
	var shot struct {
		Data []byte `json:"data"`
	}
	tab.must("Page.captureScreenshot", args, &shot)
	return shot.Data
}
