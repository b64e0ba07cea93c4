package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

// page is what all pages have in common.
type page struct {
	Title     string // the page's title
	Name      string // the dashboard's title
	BackURL   string
	Extra     []Tab
	Tab       string
	Base      string
	Here      string // the page's address below the mount
	User      string
	Write     bool // may change things
	Theme     string
	Refresh   int      // seconds; 0 for never
	Live      bool     // refresh when something has changed, and at intervals without a stream
	Stream    string   // the page's name in the stream of changes; empty if there is none
	Instances []string // the names of all instances; nil if there is one
	Instance  string
	Whole     bool  // the stream reports every change of the page
	Rows      int64 // failures or jobs on a page
	Flash     *flash
	Summary   *summary // nil if Redis does not answer
	Bare      bool     // only the parts that a refresh replaces
	Only      bool     // only the content, for a dialog
	Now       time.Time

	Language  string // its tag
	Languages []*language

	Redis, Namespace string

	assets *assets
	access Access
}

// view is the data of a template: a page and its content.
type view struct {
	page
	Content any
}

// May reports whether the user has a right. Templates show a button only if the user
// has the right for it.
func (p page) May(right Right) bool { return p.access.May(right) }

// View returns the page without its content, for shared parts of templates.
func (v view) View() page { return v.page }

// Sizes returns the numbers of rows to choose from.
func (p page) Sizes() []int64 { return sizes(p.Rows) }

// Asset returns the address of one of the dashboard's files.
func (p page) Asset(name string) string { return p.Base + "assets/" + p.assets.names[name] }

// page returns the common part of a page. Its summary costs no round trip if a
// snapshot was read within the last second.
func (h *Dashboard) page(q *request, title, tab string) page {
	p := page{
		Title: title, Name: h.cfg.Title, BackURL: h.cfg.BackURL, Extra: h.cfg.ExtraTabs, Tab: tab, Base: q.base, Here: q.here(),
		Language: q.Tag, Languages: h.languages.all,
		User: q.shownUser(), Write: q.access.Level >= Write, Theme: q.theme(), Rows: h.chosenRows(q),
		Stream: h.streamOf(tab), Instances: h.instances, Instance: h.instance, Flash: q.takeFlash(), Bare: q.isFragment(), Only: q.isDialog(), Now: time.Now().UTC(), assets: h.assets, access: q.access,
	}
	p.Refresh, p.Live = h.refresh(q)
	if q.access.Level >= Read {
		p.Redis, p.Namespace = h.client.Redis().String(), h.client.Redis().Namespace()
		if snap, err := h.snapshot(q.Context()); err == nil {
			p.Summary = snap.summary
		}
	}
	return p
}

// pages are the templates of a language, by the names of their files. Each is parsed when
// it is needed for the first time: most programs show few pages in few languages.
type pages map[string]func() (*template.Template, error)

func pagesOf(a *assets, l *language) (pages, error) {
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("web: reading the templates: %w", err)
	}
	shared := sync.OnceValues(func() (*template.Template, error) {
		return template.New("layout.html").Funcs(functions(a, l)).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	})
	p := pages{}
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), ".html"); name != "layout" && name != "parts" {
			p[name] = sync.OnceValues(func() (*template.Template, error) { return parsePage(shared, f.Name()) })
		}
	}
	return p, nil
}

// parsePage parses the template of a page, with the parts that all pages share.
func parsePage(shared func() (*template.Template, error), file string) (*template.Template, error) {
	parts, err := shared()
	if err != nil {
		return nil, fmt.Errorf("web: reading the layout: %w", err)
	}
	tmpl, err := parts.Clone()
	if err == nil {
		tmpl, err = tmpl.ParseFS(templateFiles, "templates/"+file)
	}
	if err == nil {
		err = escape(tmpl)
	}
	if err != nil {
		return nil, fmt.Errorf("web: reading the template %s: %w", file, err)
	}
	return tmpl, nil
}

// escape makes html/template check and escape a template now instead of at its first
// execution. So a mistake in any template is an error of pages, which a test reads.
func escape(tmpl *template.Template) error {
	var unsafe *template.Error
	if err := tmpl.Execute(io.Discard, nil); errors.As(err, &unsafe) {
		return unsafe
	}
	return nil // errors from executing with nil data do not matter
}

// functions returns the functions that templates call.
func functions(a *assets, l *language) template.FuncMap {
	return template.FuncMap{
		"t":           l.t,
		"tn":          l.tn,
		"num":         l.num,
		"weekday":     l.weekday,
		"shortDay":    l.shortDay,
		"scriptTexts": l.scriptTexts,
		"icon":        a.icon,
		"segment":     url.PathEscape,
		"queueAt":     queuePath,
		"iso":         func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
		"exact":       func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") },
		"span":        spanText,
		"cut":         cut,
		"bytes":       func(n int64) string { return l.figure(bytesText(n)) },
		"took":        func(d time.Duration) string { return l.figure(tookText(d)) },
		"percent":     func(part float64) string { return l.figure(percentText(part)) },
		"figure":      l.figure,
		"limitOf":     l.limit,
		"rate":        l.rate,
		"stat":        l.stat,
		"dict":        dict,
		"until":       l.until,
		"add":         func(a, b int64) int64 { return a + b },
		"toInt":       func(n int) int64 { return int64(n) },
		"plainName":   isPlainName,
		"name":        l.shownName,
		"first":       first,
		"isBelow":     isLocal,
	}
}

// write answers with a page. The answer to a refresh is 304 if the page has not
// changed.
func (h *Dashboard) write(q *request, status int, name string, v view) {
	tmpl, err := q.pages[name]()
	if err != nil {
		panic(err) // the test of templates reads all of them
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, v); err != nil {
		panic(fmt.Errorf("template %s: %w", name, err))
	}
	body := out.Bytes()
	header := q.w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Add("Vary", "Accept-Encoding, Accept, Accept-Language, X-Fragment, Cookie")
	if v.Bare && status == http.StatusOK {
		sum := sha256.Sum256(body)
		tag := `"` + hex.EncodeToString(sum[:12]) + `"`
		header.Set("ETag", tag)
		if q.Header.Get("If-None-Match") == tag {
			q.w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	send(q, status, body)
}

// send sends a body, compressed if the client accepts gzip.
func send(q *request, status int, body []byte) {
	if len(body) > 1<<10 && strings.Contains(q.Header.Get("Accept-Encoding"), "gzip") {
		q.w.Header().Set("Content-Encoding", "gzip")
		q.w.WriteHeader(status)
		z, _ := gzip.NewWriterLevel(q.w, gzip.BestSpeed) // a valid level
		_, _ = z.Write(body)                             // the client may be gone
		_ = z.Close()
		return
	}
	q.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	q.w.WriteHeader(status)
	_, _ = q.w.Write(body) // the client may be gone
}

// show answers with a page, or with its content as JSON if the client asked for that.
func (h *Dashboard) show(q *request, name, title, tab string, content any) error {
	if q.wantsJSON() {
		body, err := json.MarshalIndent(content, "", "  ")
		if err != nil {
			return fmt.Errorf("encoding %s: %w", name, err)
		}
		q.w.Header().Set("Content-Type", "application/json")
		send(q, http.StatusOK, append(body, '\n'))
		return nil
	}
	p := h.page(q, title, tab)
	p.Whole = isComplete(name)
	h.write(q, http.StatusOK, name, view{page: p, Content: content})
	return nil
}

// grouped formats a number as in English.
func grouped(n any) string { return (*language)(nil).num(n) }

// spanText formats a duration in its largest unit.
func spanText(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d d", int(d.Hours()/24))
	}
}

// until formats the time from now to at: "in 5 min", or "5 min late".
func (l *language) until(at, now time.Time) string {
	if d := at.Sub(now); d >= 0 {
		return l.t("in %s", spanText(d))
	}
	return l.t("%s late", spanText(now.Sub(at)))
}

// cut shortens text to limit bytes.
func cut(limit int, text string) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// dict returns a map of its arguments, so that a part of a template can get several
// values.
func dict(pairs ...any) (map[string]any, error) {
	d := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: key %v is not a string", pairs[i])
		}
		d[name] = pairs[i+1]
	}
	return d, nil
}

// queuePath returns the address of a queue's page. A name that cannot be a path
// segment is put into the query.
func queuePath(name string) string {
	if isPlainName(name) {
		return "queues/" + url.PathEscape(name)
	}
	return "queues?name=" + url.QueryEscape(name)
}

// shownName returns the name of a queue as pages show it.
func (l *language) shownName(name string) string {
	if strings.TrimSpace(name) == "" {
		return l.t("(no name)")
	}
	return name
}

// isPlainName reports whether a queue's name can be a path segment. Browsers
// resolve "." and "..", so they cannot.
func isPlainName(name string) bool { return name != "" && name != "." && name != ".." }

// first returns at most the first n elements of a list.
func first(n int, list any) any {
	v := reflect.ValueOf(list)
	return v.Slice(0, min(n, v.Len())).Interface()
}
