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
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

// page is what every page has, whatever its content.
type page struct {
	Title   string // of the page
	Name    string // of the dashboard
	BackURL string
	Extra   []Tab
	Tab     string
	Base    string
	Here    string // the page's own address, below the mount
	User    string
	Write   bool // may change things
	Theme   string
	Refresh int // seconds; 0 for not
	Flash   *flash
	Summary *summary // nil where Redis is away
	Bare    bool     // only what a refresh swaps
	Only    bool     // only the content, for a dialog
	Now     time.Time

	Redis, Namespace string

	assets *assets
	access Access
}

// view is a page with its content: what a template gets.
type view struct {
	page
	Content any
}

// May reports whether the reader has a right: what they may not do has no button.
func (p page) May(right Right) bool { return p.access.May(right) }

// View is the page without its content, for parts of templates.
func (v view) View() page { return v.page }

// Asset is the address of a file that comes with the dashboard.
func (p page) Asset(name string) string { return p.Base + "assets/" + p.assets.names[name] }

// page begins a page. Its summary costs no round trip where another viewer has
// just had one.
func (h *Dashboard) page(q *request, title, tab string) page {
	p := page{
		Title: title, Name: h.cfg.Title, BackURL: h.cfg.BackURL, Extra: h.cfg.ExtraTabs, Tab: tab, Base: q.base, Here: q.here(),
		User: q.access.User, Write: q.access.Level >= Write, Theme: q.theme(), Refresh: h.refresh(q),
		Flash: q.takeFlash(), Bare: q.isFragment(), Only: q.isDialog(), Now: time.Now().UTC(), assets: h.assets, access: q.access,
	}
	if q.access.Level >= Read {
		p.Redis, p.Namespace = h.client.Redis().String(), h.client.Redis().Namespace()
		if snap, err := h.snapshot(q.Context()); err == nil {
			p.Summary = snap.summary
		}
	}
	return p
}

// pages are the templates.
type pages struct{ byName map[string]*template.Template }

func loadPages(a *assets) (*pages, error) {
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("web: reading the templates: %w", err)
	}
	shared, err := template.New("layout.html").Funcs(functions(a)).
		ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("web: reading the layout: %w", err)
	}
	p := &pages{byName: map[string]*template.Template{}}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		tmpl, err := shared.Clone()
		if err == nil {
			tmpl, err = tmpl.ParseFS(templateFiles, "templates/"+f.Name())
		}
		if err == nil {
			err = escape(tmpl)
		}
		if err != nil {
			return nil, fmt.Errorf("web: reading the template of %s: %w", name, err)
		}
		p.byName[name] = tmpl
	}
	return p, nil
}

// escape has a template made safe now, which html/template does when it is first
// executed: no reader waits for it, and a mistake in it is one of New.
func escape(tmpl *template.Template) error {
	var unsafe *template.Error
	if err := tmpl.Execute(io.Discard, nil); errors.As(err, &unsafe) {
		return unsafe
	}
	return nil // what it says of nil is no matter
}

// functions are what templates call.
func functions(a *assets) template.FuncMap {
	return template.FuncMap{
		"t":         t,
		"tn":        tn,
		"num":       grouped,
		"icon":      a.icon,
		"segment":   url.PathEscape,
		"queueAt":   queuePath,
		"iso":       func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
		"exact":     func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") },
		"span":      spanText,
		"cut":       cut,
		"dict":      dict,
		"add":       func(a, b int64) int64 { return a + b },
		"toInt":     func(n int) int64 { return int64(n) },
		"plainName": isPlainName,
		"name":      shownName,
		"first":     first,
		"isBelow":   isLocal,
	}
}

// write answers with a page. A refresh whose page has not changed gets 304.
func (p *pages) write(q *request, status int, name string, v view) {
	var out bytes.Buffer
	if err := p.byName[name].Execute(&out, v); err != nil {
		panic(fmt.Errorf("template %s: %w", name, err))
	}
	body := out.Bytes()
	header := q.w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Add("Vary", "Accept-Encoding, Accept, X-Fragment, Cookie")
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

// send sends a body, compressed where the client takes that.
func send(q *request, status int, body []byte) {
	if len(body) > 1<<10 && strings.Contains(q.Header.Get("Accept-Encoding"), "gzip") {
		q.w.Header().Set("Content-Encoding", "gzip")
		q.w.WriteHeader(status)
		z, _ := gzip.NewWriterLevel(q.w, gzip.BestSpeed) // a level there is
		_, _ = z.Write(body)                             // the client may be gone
		_ = z.Close()
		return
	}
	q.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	q.w.WriteHeader(status)
	_, _ = q.w.Write(body) // the client may be gone
}

// show answers with a page, or with its content as JSON where that was asked for.
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
	h.pages.write(q, http.StatusOK, name, view{page: h.page(q, title, tab), Content: content})
	return nil
}

// grouped is a number with its thousands apart.
func grouped(n any) string {
	text := fmt.Sprint(n)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// spanText is a length of time in its largest unit.
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

// cut is text without what is over the limit.
func cut(limit int, text string) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// dict gives a part of a template several values.
func dict(pairs ...any) (map[string]any, error) {
	d := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		d[name] = pairs[i+1]
	}
	return d, nil
}

// queuePath is the address of a queue's page. A name that no path can have goes
// behind a question mark.
func queuePath(name string) string {
	if isPlainName(name) {
		return "queues/" + url.PathEscape(name)
	}
	return "queues?name=" + url.QueryEscape(name)
}

// shownName is a queue's name as people see it.
func shownName(name string) string {
	if strings.TrimSpace(name) == "" {
		return t("(no name)")
	}
	return name
}

// isPlainName tells whether a queue's name can be a segment of a path: browsers
// take some for their own.
func isPlainName(name string) bool { return name != "" && name != "." && name != ".." }

// first are at most the first n of a list.
func first(n int, list any) any {
	v := reflect.ValueOf(list)
	return v.Slice(0, min(n, v.Len())).Interface()
}

// pager is which part of a list a page shows. It keeps every other parameter of
// the address.
type pager struct {
	First, Last, Total int64 // shown are those from First on, before Last
	Page, Pages        int64
	Numbers            []int64 // pages to link to; 0 for a gap
	values             url.Values
}

// newPager reads "page", or Ruby's "start".
func newPager(q *request, total, size int64) pager {
	pages := max((total+size-1)/size, 1)
	page := q.number("page", q.number("start", 0, 0, total)/size+1, 1, pages)
	p := pager{First: (page - 1) * size, Total: total, Page: page, Pages: pages, values: q.URL.Query()}
	p.Last = min(p.First+size, total)
	p.values.Del("start")
	for n := int64(1); n <= pages; n++ {
		switch {
		case n == 1, n == pages, n >= page-2 && n <= page+2:
			p.Numbers = append(p.Numbers, n)
		case n < page-2:
			p.Numbers = append(p.Numbers, 0)
			n = page - 3
		default:
			p.Numbers = append(p.Numbers, 0)
			n = pages - 1
		}
	}
	return p
}

// To is the address of a page of the list.
func (p pager) To(page int64) string {
	values := url.Values{}
	for name, value := range p.values {
		values[name] = value
	}
	values.Set("page", strconv.FormatInt(page, 10))
	return "?" + values.Encode()
}

// t is a text of the interface in the reader's language. The English text is its
// name: every text that people read goes through here, so that a catalogue of
// another language has one place to be looked up.
func t(text string, args ...any) string {
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// tn is t for a number of things: one or several forms, as "1 job|%s jobs".
func tn(forms string, n int64) string {
	one, several, _ := strings.Cut(forms, "|")
	if n == 1 {
		return one
	}
	return fmt.Sprintf(several, grouped(n))
}
