package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
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
