package live

import (
	"net/http"
	"slices"

	"github.com/goresque/goresque/demo/site"
)

// The ways in which a page learns of changes. A cookie stores the visitor's choice.
const (
	On     = "on"     // the page replaces rows that have changed
	Reload = "reload" // the page reloads after a change
	Off    = "off"    // the visitor reloads the page

	modeCookie = "goresque_demo_live"
)

// Mode returns the visitor's choice. The query parameter live changes it.
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
