package web

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// here returns the page's address below the mount, for forms that lead back to it.
func (q *request) here() string {
	if q.URL.RawQuery == "" {
		return q.path
	}
	return q.path + "?" + q.URL.RawQuery
}

func (q *request) isFragment() bool {
	return q.Header.Get("X-Fragment") != "" || q.poll
}

// isDialog reports whether the dashboard's script sent the request. The script shows
// a question in a dialog over the page.
func (q *request) isDialog() bool { return q.Header.Get("X-Dialog") != "" }

func (q *request) wantsJSON() bool {
	if q.json {
		return true
	}
	first, _, _ := strings.Cut(q.Header.Get("Accept"), ",")
	kind, _, _ := mime.ParseMediaType(strings.TrimSpace(first)) // empty if the header is missing
	return kind == "application/json" || q.sendsJSON() && kind != "text/html"
}

// sendsJSON reports whether the fields of the request are in JSON.
func (q *request) sendsJSON() bool { return q.bodyKind() == "application/json" }

// bodyKind returns the media type of the body, empty if the header is missing.
func (q *request) bodyKind() string {
	kind, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type"))
	return kind
}

// isXHR reports whether jQuery sent the request, as in Ruby's front end.
func (q *request) isXHR() bool { return q.Header.Get("X-Requested-With") == "XMLHttpRequest" }

// number returns a number from the query, limited to least and most.
func (q *request) number(name string, otherwise, least, most int64) int64 {
	n, err := strconv.ParseInt(q.FormValue(name), 10, 64)
	if err != nil {
		n = otherwise
	}
	return min(max(n, least), most)
}

// may returns an error if the user does not have the right. The right "" is always
// allowed.
func (q *request) may(right Right) error {
	switch {
	case right == "", q.access.May(right):
		return nil
	case q.access.Level < Write:
		return fail(problemReadOnly, nil)
	}
	return fail(problemRight, nil)
}

// mayWrite returns an error if the user may not change anything, and reads the form.
// Every handler that changes something calls it first.
func (q *request) mayWrite() error {
	if q.access.Level < Write {
		return fail(problemReadOnly, nil)
	}
	return q.readForm()
}

// readForm reads the whole form, in any encoding. FormValue alone would treat a
// form that is too large or invalid as empty.
func (q *request) readForm() error {
	err := q.ParseForm()
	switch kind := q.bodyKind(); {
	case err == nil && kind == "multipart/form-data":
		err = q.ParseMultipartForm(maxBody)
	case err == nil && kind == "application/json":
		err = q.readJSON()
	}
	if err == nil { // a body of another type is not parsed, but its size is checked
		_, err = io.Copy(io.Discard, q.Body)
	}
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLarge):
		return fail(problemTooLarge, err)
	}
	if known := (*problem)(nil); errors.As(err, &known) {
		return known
	}
	return fail(problemForm, err)
}

// readJSON reads the fields of a form from an object in JSON.
func (q *request) readJSON() error {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return err //nolint:wrapcheck // readForm tells a body that is too large from others
	}
	fields, err := jsonFields(body)
	if err != nil {
		return &problem{code: problemForm, cause: err, advice: q.t("The body is not a JSON object of fields: %v.", err)}
	}
	if q.PostForm == nil { // of a DELETE
		q.PostForm = url.Values{}
	}
	for name, values := range fields {
		q.PostForm[name] = values
		q.Form[name] = append(values, q.Form[name]...)
	}
	return nil
}

// jsonFields returns the members of an object as fields of a form. true is "1"; false and
// null are like no field. An array of ids is several values; any other array or object is
// its text in JSON.
func jsonFields(body []byte) (url.Values, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, err //nolint:wrapcheck // shown as it is
	}
	fields := url.Values{}
	for name, raw := range members {
		var text string
		switch {
		case string(raw) == "null", string(raw) == "false":
		case string(raw) == "true":
			fields[name] = []string{"1"}
		case name == "ids":
			var ids []string
			if err := json.Unmarshal(raw, &ids); err != nil {
				return nil, errors.New("ids is not an array of texts")
			}
			fields[name] = ids
		case json.Unmarshal(raw, &text) == nil:
			fields[name] = []string{text}
		default:
			fields[name] = []string{string(raw)} // a number, or JSON as a value
		}
	}
	return fields, nil
}

// Cookies hold the user's choices and the message for the next page. No cookie
// identifies a user.
const (
	themeCookie   = "resque_theme"
	refreshCookie = "resque_refresh"
	rowsCookie    = "resque_rows"
	flashCookie   = "resque_flash"

	languageCookie = "resque_language"
)

// theme returns "light" or "dark" if the user chose one, otherwise "auto".
func (q *request) theme() string {
	if c, err := q.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return "auto"
}

// isLive is the choice of a refresh when something has changed.
const isLive = "live"

// refresh returns the seconds between two refreshes of a page, 0 for never. live reports
// whether the page also listens to the stream of changes.
func (h *Dashboard) refresh(q *request) (seconds int, live bool) {
	if c, err := q.Cookie(refreshCookie); err == nil {
		if c.Value == isLive {
			return int(pollEvery / time.Second), true
		}
		if n, err := strconv.Atoi(c.Value); err == nil && n >= 0 && n <= 3600 {
			return n, false
		}
	}
	if h.cfg.Refresh == 0 {
		return int(pollEvery / time.Second), true
	}
	return max(int(h.cfg.Refresh/time.Second), 0), false
}

// rows returns how many failures or jobs a page shows: the parameter "size", the user's
// choice, or the default.
func (h *Dashboard) rows(q *request) int64 {
	return q.number("size", h.chosenRows(q), 1, mostRows)
}

func (h *Dashboard) chosenRows(q *request) int64 {
	if c, err := q.Cookie(rowsCookie); err == nil {
		if n, err := strconv.ParseInt(c.Value, 10, 64); err == nil && n >= 1 && n <= mostRows {
			return n
		}
	}
	return int64(h.cfg.PerPage)
}

// mostRows is the largest number of failures or jobs on a page.
const mostRows = 500

// sizes returns the numbers of rows to choose from, with n among them.
func sizes(n int64) []int64 {
	all := []int64{25, 50, 100}
	if !slices.Contains(all, n) {
		all = append(all, n)
		slices.Sort(all)
	}
	return all
}

// flash is the message that the page after an action shows.
type flash struct {
	Text  string
	Bad   bool     `json:",omitempty"`
	Trash []string `json:",omitempty"` // what Undo can restore

	Operation bool `json:"-"` // the operation still runs and has its own page: no message
}

func (q *request) setFlash(f flash) {
	text, err := json.Marshal(f)
	if err != nil || len(text) > 2000 { // browsers limit the size of a cookie
		text, _ = json.Marshal(flash{Text: f.Text, Bad: f.Bad}) // cannot fail: plain fields
	}
	q.setCookie(flashCookie, base64.RawURLEncoding.EncodeToString(text), 60)
}

func (q *request) takeFlash() *flash {
	c, err := q.Cookie(flashCookie)
	if err != nil || q.isFragment() || q.isDialog() {
		return nil
	}
	q.setCookie(flashCookie, "", -1)
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	var f flash
	if err != nil || json.Unmarshal(text, &f) != nil || f.Text == "" {
		return nil
	}
	return &f
}

func (q *request) setCookie(name, value string, maxAge int) {
	http.SetCookie(q.w, &http.Cookie{
		Name: name, Value: value, MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: q.TLS != nil,
		Path: "/", // the mount is not known
	})
}

// back answers an action. It redirects to the page that the form names and shows f
// there, or answers with result as JSON.
func (q *request) back(otherwise string, f flash, result any) error {
	if q.wantsJSON() {
		body, err := json.Marshal(result)
		if err != nil {
			return err //nolint:wrapcheck // plain values
		}
		q.w.Header().Set("Content-Type", "application/json")
		status := http.StatusOK
		if f.Operation {
			status = http.StatusAccepted
		}
		send(q, status, append(body, '\n'))
		return nil
	}
	if f.Text != "" {
		q.setFlash(f)
	}
	target := q.FormValue("back")
	if !isLocal(target) {
		target = otherwise
	}
	if q.isDialog() { // a script does not see the target of a redirect
		q.w.Header().Set("X-Location", q.base+target)
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	// http.Redirect would make the address absolute.
	q.w.Header().Set("Location", q.base+target)
	q.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// isLocal reports whether an address from a form is below the mount. Any other
// address could lead to another site.
func isLocal(target string) bool {
	u, err := url.Parse(target)
	if err != nil || target == "" || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(target, "/") ||
		strings.ContainsAny(target, "\\\r\n") || strings.Contains(u.Path, "//") {
		return false
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if part == ".." {
			return false
		}
	}
	return true
}

// withoutPage returns an address without the number of rows and the page.
func withoutPage(address string) string {
	path, query, _ := strings.Cut(address, "?")
	values, err := url.ParseQuery(query)
	if err != nil || query == "" {
		return path
	}
	for _, gone := range []string{"size", "page", "start"} {
		values.Del(gone)
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// settings stores the user's choices in cookies.
func (h *Dashboard) settings(q *request) error {
	if err := q.readForm(); err != nil {
		return err
	}
	const year = 365 * 24 * 60 * 60
	if theme := q.PostFormValue("theme"); theme == "light" || theme == "dark" || theme == "auto" {
		q.setCookie(themeCookie, theme, year)
	}
	if lang, ok := h.languages.find(q.PostFormValue("language")); ok {
		q.setCookie(languageCookie, lang.Tag, year)
	}
	refresh := q.PostFormValue("refresh")
	if n, err := strconv.Atoi(refresh); refresh == isLive || err == nil && n >= 0 && n <= 3600 {
		q.setCookie(refreshCookie, refresh, year)
	}
	if n, err := strconv.ParseInt(q.PostFormValue("rows"), 10, 64); err == nil && n >= 1 && n <= mostRows {
		q.setCookie(rowsCookie, strconv.FormatInt(n, 10), year)
		q.Form.Set("back", withoutPage(q.FormValue("back")))
	}
	return q.back("", flash{}, struct{}{})
}
