package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
)

// Level is how much a user may do.
type Level int

// What a user may do.
const (
	None Level = iota
	Read
	Write
)

// Access is who a request is from, and what they may do.
type Access struct {
	User  string
	Level Level

	// Deny takes single rights from a user who has the level Write. A request
	// with a right that is not one of the constants is refused.
	Deny []Right
}

// May reports whether the user has a right.
func (a Access) May(right Right) bool {
	return a.Level >= Write && !slices.Contains(a.Deny, right)
}

// Right is a part of what the level Write allows.
type Right string

// The rights.
const (
	RightRetry   Right = "retry"   // retry failures as they were
	RightEdit    Right = "edit"    // retry them elsewhere or with other arguments, move jobs
	RightRemove  Right = "remove"  // remove failures and jobs that are named, and bring back what was removed
	RightBulk    Right = "bulk"    // act on all that match, clear and remove queues
	RightPause   Right = "pause"   // pause queues and workers
	RightWorkers Right = "workers" // prune workers
)

// checkRights returns an error that names each right which does not exist.
func checkRights(rights []Right) error {
	var mistakes []error
	for _, right := range rights {
		switch right {
		case RightRetry, RightEdit, RightRemove, RightBulk, RightPause, RightWorkers:
		default:
			mistakes = append(mistakes, fmt.Errorf("web: there is no right %q; use retry, edit, remove, bulk, pause or workers", right))
		}
	}
	return errors.Join(mistakes...)
}

// Auth decides who a request is from and what they may do. It must be safe for
// concurrent use.
//
// An error, or the level None, refuses the request: with 401 and a form to sign in
// if the error is ErrWhoAreYou, else with 403.
type Auth interface {
	Authenticate(r *http.Request) (Access, error)
}

// AuthFunc is a function as an Auth.
type AuthFunc func(r *http.Request) (Access, error)

// Authenticate calls f(r).
func (f AuthFunc) Authenticate(r *http.Request) (Access, error) { return f(r) }

// ErrWhoAreYou is returned by an Auth that wants a name and a password.
var ErrWhoAreYou = errors.New("web: a name and a password are needed")

// checkedAuth is an Auth that knows whether it can work, for New.
type checkedAuth interface{ check() error }

// checkAuth returns the mistakes of an Auth of this package.
func checkAuth(auth Auth) error {
	if auth == nil {
		return errors.New("web: Auth is not set: choose one with web.BasicAuth, web.AuthFunc or web.AllowEveryone")
	}
	if f, ok := auth.(AuthFunc); ok && f == nil {
		return errors.New("web: Auth is a nil AuthFunc")
	}
	if c, ok := auth.(checkedAuth); ok {
		return c.check()
	}
	return nil
}

// BasicAuth lets in one user, who may do everything. Use it over TLS, or on
// loopback. New refuses an empty user or password, and a user with a colon.
func BasicAuth(user, password string) Auth {
	a := basicAuth{user: user, userSum: sha256.Sum256([]byte(user)), passwordSum: sha256.Sum256([]byte(password))}
	a.hasPassword = password != ""
	return a
}

type basicAuth struct {
	user                 string
	hasPassword          bool
	userSum, passwordSum [sha256.Size]byte
}

func (a basicAuth) check() error {
	var mistakes []error
	if a.user == "" {
		mistakes = append(mistakes, errors.New("web: BasicAuth has an empty user"))
	}
	if strings.Contains(a.user, ":") {
		mistakes = append(mistakes, fmt.Errorf("web: BasicAuth has the user %q; a user name with a colon cannot sign in", a.user))
	}
	if !a.hasPassword {
		mistakes = append(mistakes, errors.New("web: BasicAuth has an empty password, which would let anyone in; is its variable set?"))
	}
	return errors.Join(mistakes...)
}

// Authenticate compares both, always: how long it takes tells nothing.
func (a basicAuth) Authenticate(r *http.Request) (Access, error) {
	user, password, ok := r.BasicAuth()
	u, p := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
	same := subtle.ConstantTimeCompare(u[:], a.userSum[:]) & subtle.ConstantTimeCompare(p[:], a.passwordSum[:])
	if !ok || same != 1 {
		return Access{}, ErrWhoAreYou
	}
	return Access{User: a.user, Level: Write}, nil
}

// ReadOnlyFor lets the users of auth look and change nothing.
func ReadOnlyFor(auth Auth) Auth { return limitedAuth{auth: auth, most: Read} }

// DenyFor takes rights from the users of auth. New refuses rights that do not
// exist.
func DenyFor(auth Auth, rights ...Right) Auth {
	return limitedAuth{auth: auth, most: Write, deny: slices.Clone(rights)}
}

// limitedAuth is an Auth whose users may do less.
type limitedAuth struct {
	auth Auth
	most Level
	deny []Right
}

func (l limitedAuth) check() error { return errors.Join(checkAuth(l.auth), checkRights(l.deny)) }

func (l limitedAuth) Authenticate(r *http.Request) (Access, error) {
	a, err := l.auth.Authenticate(r)
	a.Level, a.Deny = min(a.Level, l.most), slices.Concat(a.Deny, l.deny)
	return a, err
}

// AllowEveryone lets anyone do everything. Use it only for a dashboard that others
// cannot reach, or behind something that authenticates them.
func AllowEveryone() Auth {
	return AuthFunc(func(*http.Request) (Access, error) { return Access{User: "everyone", Level: Write}, nil })
}

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

// admit returns who a request is from and what they may do, or why it is refused.
func (h *Dashboard) admit(w http.ResponseWriter, r *http.Request) (Access, error) {
	if !h.isAllowedHost(r.Host) {
		return Access{}, fail(problemHost, nil)
	}
	access, err := h.logins.authenticate(h.cfg, r)
	var known *problem
	switch {
	case errors.As(err, &known):
		w.Header().Set("Retry-After", "2")
		return Access{}, err
	case errors.Is(err, ErrWhoAreYou):
		w.Header().Set("WWW-Authenticate", `Basic realm="Resque", charset="UTF-8"`)
		return access, fail(problemSignIn, nil)
	case err != nil || access.Level == None:
		return access, fail(problemNoAccess, err)
	}
	if err := checkRights(access.Deny); err != nil {
		return Access{}, fail(problemInternal, err)
	}
	if h.cfg.ReadOnly {
		access.Level = min(access.Level, Read)
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return access, nil
	}
	if err := h.crossOrigin.Check(r); err != nil {
		return access, &problem{code: problemOrigin, cause: err, advice: originAdvice(r)}
	}
	return access, nil
}

// originAdvice says what to set if the request came through a proxy.
func originAdvice(r *http.Request) string {
	origin := r.Header.Get("Origin")
	if origin == "" || origin == "null" {
		return ""
	}
	return t("The form came from %s, and the dashboard is reached as %s. If both are this dashboard, a proxy in front of it "+
		"changes the Host header: have it pass the header on, or trust the origin, by TrustedOrigins in web.Config or by --trusted-origin %s.",
		origin, r.Host, origin)
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
