package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"path"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// assets holds the dashboard's scripts, styles and icons. File names contain a digest
// of the content, so that browsers can cache them forever.
type assets struct {
	names  map[string]string // "app.css" → "app.1a2b3c.css"
	byName map[string]assetFile
	icons  map[string]template.HTML
}

type assetFile struct {
	kind          string
	plain, zipped []byte
}

func loadAssets() (*assets, error) {
	a := &assets{names: map[string]string{}, byName: map[string]assetFile{}, icons: map[string]template.HTML{}}
	files, err := staticFiles.ReadDir("static")
	if err != nil {
		return nil, fmt.Errorf("web: reading the assets: %w", err)
	}
	for _, f := range files {
		body, err := staticFiles.ReadFile("static/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("web: reading the assets: %w", err)
		}
		if f.Name() == "icons.txt" {
			a.loadIcons(string(body))
			continue
		}
		var zipped bytes.Buffer
		z, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression) // a valid level
		_, _ = z.Write(body)                                       // cannot fail: in memory
		_ = z.Close()
		sum := sha256.Sum256(body)
		ext := path.Ext(f.Name())
		name := strings.TrimSuffix(f.Name(), ext) + "." + hex.EncodeToString(sum[:5]) + ext
		a.names[f.Name()] = name
		a.byName[name] = assetFile{assetKind(ext), body, zipped.Bytes()}
	}
	return a, nil
}

func assetKind(ext string) string {
	switch ext {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	default:
		return "image/svg+xml"
	}
}

// loadIcons reads one icon per line: its name and its SVG path in a square of 16.
func (a *assets) loadIcons(text string) {
	for line := range strings.Lines(text) {
		name, d, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok {
			a.icons[name] = template.HTML(`<svg class="i" viewBox="0 0 16 16" aria-hidden="true"><path d="` + //nolint:gosec // from an embedded file
				template.HTMLEscapeString(d) + `"/></svg>`)
		}
	}
}

func (a *assets) icon(name string) (template.HTML, error) {
	icon, ok := a.icons[name]
	if !ok {
		return "", fmt.Errorf("icon %q does not exist", name)
	}
	return icon, nil
}

func (h *Dashboard) asset(q *request) error {
	f, ok := h.assets.byName[q.params["name"]]
	if !ok {
		return fail(problemNoPage, nil)
	}
	header := q.w.Header()
	header.Set("Content-Type", f.kind)
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("Vary", "Accept-Encoding")
	body := f.plain
	if strings.Contains(q.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		body = f.zipped
	}
	_, _ = q.w.Write(body) // the client may be gone
	return nil
}
