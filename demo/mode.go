package demo

import (
	"net/http"
	"slices"
)

// How a page learns of changes: by itself, by loading itself anew, or not at all,
// where the visitor reloads by hand. A visitor's choice is kept in a cookie.
const (
	liveOn     = "on"
	liveReload = "reload"
	liveOff    = "off"

	liveCookie = "goresque_demo_live"
)

// liveMode is the visitor's choice; ?live= changes it.
func liveMode(rw http.ResponseWriter, r *http.Request) string {
	modes := []string{liveOn, liveReload, liveOff}
	if mode := r.FormValue("live"); slices.Contains(modes, mode) {
		http.SetCookie(rw, &http.Cookie{
			Name: liveCookie, Value: mode, Path: "/", MaxAge: 30 * 24 * 60 * 60, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
		return mode
	}
	if cookie, err := r.Cookie(liveCookie); err == nil && slices.Contains(modes, cookie.Value) {
		return cookie.Value
	}
	return liveOn
}
