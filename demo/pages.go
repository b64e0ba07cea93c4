package demo

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"

	"github.com/gorilla/mux"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static/*
var staticFiles embed.FS

// pages are the app's templates, each within the layout.
type pages struct {
	byName map[string]*template.Template
}

func newPages() (*pages, error) {
	p := &pages{byName: map[string]*template.Template{}}
	for _, name := range []string{"exports.html", "export.html", "problem.html", "error.html"} {
		t, err := template.New(name).ParseFS(templateFiles, "templates/layout.html", "templates/row.html", "templates/"+name)
		if err != nil {
			return nil, fmt.Errorf("parsing the template %s: %w", name, err)
		}
		p.byName[name] = t
	}
	return p, nil
}

// render writes a page, all of it or nothing.
func (p *pages) render(rw http.ResponseWriter, status int, name string, view any) error {
	var page bytes.Buffer
	if err := p.byName[name].ExecuteTemplate(&page, "layout", view); err != nil {
		return fmt.Errorf("rendering %s: %w", name, err)
	}
	write(rw, status, "text/html; charset=utf-8", page.Bytes())
	return nil
}

func renderJSON(rw http.ResponseWriter, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("rendering JSON: %w", err)
	}
	write(rw, status, "application/json", append(text, '\n'))
	return nil
}

func write(rw http.ResponseWriter, status int, contentType string, body []byte) {
	rw.Header().Set("Content-Type", contentType)
	rw.Header().Set("Vary", "Accept")
	rw.WriteHeader(status)
	_, _ = rw.Write(body) // a visitor who is gone needs no answer
}

// static serves a file of ours; a browser that has it asks only whether it is
// still the same.
func (p *pages) static(rw http.ResponseWriter, r *http.Request) error {
	name := "static/" + mux.Vars(r)["name"]
	data, err := staticFiles.ReadFile(name)
	if err != nil {
		return errNoPage()
	}
	rw.Header().Set("Cache-Control", "no-cache")
	rw.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(data)))
	http.ServeFileFS(rw, r, staticFiles, name)
	return nil
}
