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

// Access is the result of authentication: the user and the user's rights.
type Access struct {
	User  string
	Level Level

	// Deny removes single rights from a user with level Write. A request with a right
	// that is not one of the constants is refused.
	Deny []Right
}

// May reports whether the user has a right.
func (a Access) May(right Right) bool {
	return a.Level >= Write && !slices.Contains(a.Deny, right)
}

// Right is one part of what level Write allows.
type Right string

// The rights.
const (
	RightRetry   Right = "retry"   // retry failures unchanged
	RightEdit    Right = "edit"    // retry failures in another queue or with other arguments, and move jobs
	RightRemove  Right = "remove"  // remove selected failures and jobs, and restore removed ones
	RightBulk    Right = "bulk"    // retry, run or remove all matching failures or jobs, clear and remove queues, cancel batches
	RightPause   Right = "pause"   // pause queues and workers
	RightWorkers Right = "workers" // prune workers, stop running jobs, and tell workers to pause or stop

	// RightSchedule allows running and canceling selected delayed jobs, and running,
	// switching and deleting schedules.
	RightSchedule Right = "schedule"
)

// checkRights returns an error that names each unknown right.
func checkRights(rights []Right) error {
	var mistakes []error
	for _, right := range rights {
		switch right {
		case RightRetry, RightEdit, RightRemove, RightBulk, RightPause, RightWorkers, RightSchedule:
		default:
			mistakes = append(mistakes, fmt.Errorf("web: unknown right %q; use retry, edit, remove, bulk, pause, workers or schedule", right))
		}
	}
	return errors.Join(mistakes...)
}

// Auth authenticates requests. It must be safe for concurrent use.
//
// An error or level None refuses the request. If the error is ErrUnauthorized, the
// answer is 401 and the browser asks for a user and a password; otherwise it is 403.
type Auth interface {
	Authenticate(r *http.Request) (Access, error)
}

// AuthFunc is an adapter that makes a function an Auth.
type AuthFunc func(r *http.Request) (Access, error)

// Authenticate calls f(r).
func (f AuthFunc) Authenticate(r *http.Request) (Access, error) { return f(r) }

// ErrUnauthorized is the error that an Auth returns to ask for a user and a password.
var ErrUnauthorized = errors.New("web: a user and a password are required")

// checkedAuth is an Auth that New can check for mistakes.
type checkedAuth interface{ check() error }

// checkAuth returns the mistakes in an Auth of this package.
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

// BasicAuth accepts one user and allows everything. Use it over TLS, or on loopback.
// New refuses an empty user or password, and a user with a colon.
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

// Authenticate always compares both values, in constant time, so that the duration
// reveals neither.
func (a basicAuth) Authenticate(r *http.Request) (Access, error) {
	user, password, ok := r.BasicAuth()
	u, p := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
	same := subtle.ConstantTimeCompare(u[:], a.userSum[:]) & subtle.ConstantTimeCompare(p[:], a.passwordSum[:])
	if !ok || same != 1 {
		return Access{}, ErrUnauthorized
	}
	return Access{User: a.user, Level: Write}, nil
}

// ReadOnlyFor lets the users of auth read everything and change nothing.
func ReadOnlyFor(auth Auth) Auth { return limitedAuth{auth: auth, most: Read} }

// DenyFor removes rights from the users of auth. New refuses unknown rights.
func DenyFor(auth Auth, rights ...Right) Auth {
	return limitedAuth{auth: auth, most: Write, deny: slices.Clone(rights)}
}

// limitedAuth limits the rights of another Auth's users.
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

// everyone is the user of AllowEveryone.
const everyone = "everyone"

// shownUser returns the user in the words of the page.
func (q *request) shownUser() string {
	if q.access.User == everyone {
		return q.t("everyone")
	}
	return q.access.User
}

// AllowEveryone accepts every request and allows everything. Use it only if no one
// else can reach the dashboard, or behind a proxy that authenticates.
func AllowEveryone() Auth {
	return AuthFunc(func(*http.Request) (Access, error) { return Access{User: everyone, Level: Write}, nil })
}

// policy allows the dashboard's own scripts and styles, and nothing inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// admit authenticates a request. The error says why it is refused.
func (h *Dashboard) admit(q *request) (Access, error) {
	if !h.isAllowedHost(q.Host) {
		return Access{}, fail(problemHost, nil)
	}
	access, err := h.logins.authenticate(h.cfg, q.Request)
	var known *problem
	switch {
	case errors.As(err, &known):
		q.w.Header().Set("Retry-After", "2")
		return Access{}, err
	case errors.Is(err, ErrUnauthorized):
		q.w.Header().Set("WWW-Authenticate", `Basic realm="Resque", charset="UTF-8"`)
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
	if q.Method == http.MethodGet || q.Method == http.MethodHead {
		return access, nil
	}
	if err := h.crossOrigin.Check(q.Request); err != nil {
		return access, &problem{code: problemOrigin, cause: err, advice: originAdvice(q.language, q.Request)}
	}
	return access, nil
}

// originAdvice returns what to configure if the request came through a proxy.
func originAdvice(l *language, r *http.Request) string {
	origin := r.Header.Get("Origin")
	if origin == "" || origin == "null" {
		return ""
	}
	return l.t("The form was sent from a page of %s, but the request was for the host %s. If both are this dashboard, a proxy in front of it "+
		"changes the Host header. Configure the proxy to keep the header, or trust the origin with TrustedOrigins in web.Config or --trusted-origin %s.",
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
