// Package site does what every web app should do: it accepts only its own host names,
// refuses forms of other sites, limits the size of forms, sets safe headers and shows
// errors as pages.
package site

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
)

//go:embed templates
var own embed.FS

// Config configures a Site.
type Config struct {
	Hosts []string     // the host names to accept; empty means any
	Log   *slog.Logger // gets the causes of 500s; nil means slog.Default()

	// Files have the pages in templates/*.html, their layout in
	// templates/layout/*.html, and other files in static/*.
	Files []fs.FS
}

// Site renders pages and answers errors.
type Site struct {
	hosts []string
	log   *slog.Logger
	files []fs.FS
	pages map[string]*template.Template
}

// New parses the templates of a site.
func New(cfg Config) (*Site, error) {
	s := &Site{hosts: cfg.Hosts, log: cmp.Or(cfg.Log, slog.Default()), files: append(cfg.Files, own), pages: map[string]*template.Template{}}
	layout := template.New("layout")
	for _, files := range s.files {
		names, _ := fs.Glob(files, "templates/layout/*.html") // the pattern is valid
		if len(names) == 0 {
			continue
		}
		if _, err := layout.ParseFS(files, names...); err != nil {
			return nil, fmt.Errorf("parsing the layout: %w", err)
		}
	}
	for _, files := range s.files {
		names, _ := fs.Glob(files, "templates/*.html") // the pattern is valid
		for _, name := range names {
			page, err := layout.Clone()
			if err == nil {
				page, err = page.ParseFS(files, name)
			}
			if err != nil {
				return nil, fmt.Errorf("parsing the template %s: %w", name, err)
			}
			s.pages[path.Base(name)] = page
		}
	}
	return s, nil
}

// Head has the values that the layout shows on each page.
type Head struct {
	Mode    string // problem or solution
	Live    string // a mode of package live; empty if the page shows no exports
	Waiting bool   // whether a browser without scripts must reload the page
	Version int64  // of what the page shows
	Only    int64  // the id of the page's one export; 0 on the index
	Mark    string // text before the title
}

// Render writes a page. If it returns an error it has written nothing.
func (s *Site) Render(rw http.ResponseWriter, status int, name string, view any) error {
	var page bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&page, "layout", view); err != nil {
		return fmt.Errorf("rendering %s: %w", name, err)
	}
	write(rw, status, "text/html; charset=utf-8", page.Bytes())
	return nil
}

// WantsJSON reports whether a request asks for JSON, and so comes from a program.
func WantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

// JSON writes v as JSON.
func JSON(rw http.ResponseWriter, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("rendering JSON: %w", err)
	}
	write(rw, status, "application/json", append(text, '\n'))
	return nil
}

// TaggedJSON writes v as JSON with an ETag, or 304 if the client has the same version.
func TaggedJSON(rw http.ResponseWriter, r *http.Request, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("rendering JSON: %w", err)
	}
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(text))
	rw.Header().Set("ETag", tag)
	rw.Header().Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == tag {
		rw.Header().Set("Vary", "Accept")
		rw.WriteHeader(http.StatusNotModified)
		return nil
	}
	write(rw, http.StatusOK, "application/json", append(text, '\n'))
	return nil
}

func write(rw http.ResponseWriter, status int, contentType string, body []byte) {
	rw.Header().Set("Content-Type", contentType)
	rw.Header().Set("Vary", "Accept")
	rw.WriteHeader(status)
	_, _ = rw.Write(body) // it fails only if the visitor has left
}

// Static serves the static file that the path names, with an ETag.
func (s *Site) Static(rw http.ResponseWriter, r *http.Request) error {
	name := "static/" + mux.Vars(r)["name"]
	for _, files := range s.files {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			continue
		}
		rw.Header().Set("Cache-Control", "no-cache")
		rw.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(data)))
		http.ServeFileFS(rw, r, files, name)
		return nil
	}
	return NoPage()
}

// Protect protects a handler: it refuses other host names and POSTs from other sites,
// and sets headers that limit what a page may do.
func (s *Site) Protect(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(s.Handle(func(http.ResponseWriter, *http.Request) error {
		return &Error{Status: http.StatusForbidden, Title: "Request from another site", Text: "This request came from another site. Nothing was done."}
	}))
	return s.ownHosts(secure(sameOrigin.Handler(next)))
}

// secure sets the security headers of every answer: a page loads only the site's own
// files, and no other page may frame it.
func secure(next http.Handler) http.Handler {
	const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(rw, r)
	})
}

// ownHosts refuses other host names. This prevents DNS rebinding: another site's name
// that resolves to loopback would let its pages read this site.
func (s *Site) ownHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil { // no port
			host = strings.Trim(r.Host, "[]")
		}
		if len(s.hosts) > 0 && !slices.Contains(s.hosts, strings.ToLower(host)) {
			http.Error(rw, "This demo accepts requests for localhost only. Start it with --addr to use another host name.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(rw, r)
	})
}

// SetCookie sets a cookie that scripts cannot read and that POSTs from other sites do
// not carry. A negative maxAge removes it.
func SetCookie(rw http.ResponseWriter, r *http.Request, name, value string, maxAge int) {
	http.SetCookie(rw, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	})
}

const flashCookie = "goresque_demo_flash"

// SetFlash sets the name of a sentence that the next page shows. The cookie contains
// only the name, so that a forged cookie cannot put text on the page.
func SetFlash(rw http.ResponseWriter, r *http.Request, name string) {
	SetCookie(rw, r, flashCookie, name, 60)
}

// TakeFlash removes the flash and returns its name, or "" if there is none.
func TakeFlash(rw http.ResponseWriter, r *http.Request) string {
	cookie, err := r.Cookie(flashCookie)
	if err != nil {
		return ""
	}
	SetCookie(rw, r, flashCookie, "", -1)
	return cookie.Value
}

// KeepOpen extends the server's write timeout for this answer. A ResponseWriter
// without deadlines, as in tests, has no timeout to extend.
func KeepOpen(rw http.ResponseWriter, limit time.Duration) {
	_ = http.NewResponseController(rw).SetWriteDeadline(time.Now().Add(limit))
}

// Serve serves until ctx ends, then lets running requests finish.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute, // see KeepOpen
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		ended <- srv.Shutdown(grace)
	})
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("serving the web app: %w", err)
	}
	if err := <-ended; err != nil {
		return errors.Join(fmt.Errorf("stopping the web app: %w", err), srv.Close())
	}
	return nil
}
