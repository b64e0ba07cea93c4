package live

import (
	"net/http"
	"slices"

	"github.com/goresque/goresque/demo/site"
)

// How a page learns of changes: by itself, by loading the whole page again, or not
// at all, when the visitor reloads by hand. A cookie keeps the visitor's choice.
const (
	On     = "on"
	Reload = "reload"
	Off    = "off"

	modeCookie = "goresque_demo_live"
)

// Mode returns the visitor's choice. ?live= changes it.
func Mode(rw http.ResponseWriter, r *http.Request) string {
	modes := []string{On, Reload, Off}
	if mode := r.FormValue("live"); slices.Contains(modes, mode) {
		site.SetCookie(rw, r, modeCookie, mode, 30*24*60*60)
		return mode
	}
	if cookie, err := r.Cookie(modeCookie); err == nil && slices.Contains(modes, cookie.Value) {
		return cookie.Value
	}
	return On
}
