package web

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
)

// policy allows what the dashboard brings with it, and nothing inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// admit says who asks and what they may do, or why they are refused.
func (h *Dashboard) admit(w http.ResponseWriter, r *http.Request) (Access, error) {
	if !h.isAllowedHost(r.Host) {
		return Access{}, fail(http.StatusMisdirectedRequest, "host", nil)
	}
	access, err := h.cfg.Auth(r)
	switch {
	case errors.Is(err, ErrWhoAreYou):
		w.Header().Set("WWW-Authenticate", `Basic realm="Resque", charset="UTF-8"`)
		return access, fail(http.StatusUnauthorized, "who", nil)
	case err != nil || access.Level == None:
		return access, fail(http.StatusForbidden, "denied", err)
	}
	if h.cfg.ReadOnly {
		access.Level = min(access.Level, Read)
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return access, nil
	}
	if err := h.crossOrigin.Check(r); err != nil {
		return access, fail(http.StatusForbidden, "origin", err)
	}
	return access, nil
}

func (h *Dashboard) isAllowedHost(host string) bool {
	if len(h.cfg.AllowedHosts) == 0 {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	return slices.ContainsFunc(h.cfg.AllowedHosts, func(allowed string) bool { return strings.EqualFold(allowed, host) })
}
