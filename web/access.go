package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
)

// Level is how much somebody may do.
type Level int

// What somebody may do.
const (
	None Level = iota
	Read
	Write
)

// Access is who asks, and what they may do.
type Access struct {
	User  string
	Level Level

	// Deny takes single rights from who has the level Write: RightBulk, say.
	Deny []string
}

// ErrWhoAreYou is returned by an Auth that wants a name and a password.
var ErrWhoAreYou = errors.New("web: a name and a password are needed")

// BasicAuth lets one user in, who may do everything. Use it over TLS, or on
// loopback.
func BasicAuth(user, password string) func(*http.Request) (Access, error) {
	wantUser, wantPassword := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
	return func(r *http.Request) (Access, error) {
		gotUser, gotPassword, ok := r.BasicAuth()
		u, p := sha256.Sum256([]byte(gotUser)), sha256.Sum256([]byte(gotPassword))
		// Both are compared, always: how long it takes tells nothing.
		same := subtle.ConstantTimeCompare(u[:], wantUser[:]) & subtle.ConstantTimeCompare(p[:], wantPassword[:])
		if !ok || same != 1 {
			return Access{}, ErrWhoAreYou
		}
		return Access{User: user, Level: Write}, nil
	}
}

// ReadOnlyFor lets those in whom auth lets in, to look and change nothing.
func ReadOnlyFor(auth func(*http.Request) (Access, error)) func(*http.Request) (Access, error) {
	return func(r *http.Request) (Access, error) {
		a, err := auth(r)
		a.Level = min(a.Level, Read)
		return a, err
	}
}

// AllowEveryone lets everybody do everything. Only for a dashboard that nobody
// else can reach, or behind something that asks who they are.
func AllowEveryone() func(*http.Request) (Access, error) {
	return func(*http.Request) (Access, error) { return Access{User: "everyone", Level: Write}, nil }
}

// The rights that Access.Deny takes from who has the level Write.
const (
	RightRetry   = "retry"   // retry failures as they were
	RightEdit    = "edit"    // retry them elsewhere or with other arguments, move jobs
	RightRemove  = "remove"  // remove failures and jobs that are named, and bring back what was removed
	RightBulk    = "bulk"    // act on all that match, clear and remove queues
	RightPause   = "pause"   // pause queues and workers
	RightWorkers = "workers" // prune workers
)

// May tells whether somebody has a right.
func (a Access) May(right string) bool {
	return a.Level >= Write && !slices.Contains(a.Deny, right)
}

// May tells whether the reader has a right: what they may not do has no button.
func (p page) May(right string) bool { return p.access.May(right) }

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
