package web

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"
)

// logins makes it slow to guess a password: the answer to a failed sign-in comes
// late, and while many wait for theirs, other passwords are not looked at.
// Credentials that were right before are never held up.
type logins struct {
	waiting chan struct{} // has an element for each failed sign-in that waits

	mu    sync.Mutex
	right map[[sha256.Size]byte]bool // digests of headers that were let in
}

const (
	loginDelay    = time.Second
	loginsWaiting = 20  // at most
	loginsKnown   = 200 // digests that are kept
)

func newLogins() *logins {
	return &logins{waiting: make(chan struct{}, loginsWaiting), right: map[[sha256.Size]byte]bool{}}
}

// authenticate asks cfg.Auth. A request that brings credentials which are refused
// is logged, without the password, and waits.
func (l *logins) authenticate(cfg Config, r *http.Request) (Access, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return cfg.Auth.Authenticate(r)
	}
	sum := sha256.Sum256([]byte(header))
	known := l.isKnown(sum)
	if !known && len(l.waiting) == cap(l.waiting) {
		return Access{}, fail(problemSignIns, nil)
	}
	access, err := cfg.Auth.Authenticate(r)
	switch {
	case err == nil && access.Level > None:
		l.know(sum, known)
		return access, nil
	case !errors.Is(err, ErrWhoAreYou):
		return access, err
	}
	user, _, _ := r.BasicAuth() // empty for another kind of credentials
	cfg.Logger.Warn("dashboard sign-in failed", "user", cut(100, user), "remote", r.RemoteAddr)
	l.wait(r)
	return access, err
}

// wait holds up the answer to a failed sign-in, unless too many wait already.
func (l *logins) wait(r *http.Request) {
	select {
	case l.waiting <- struct{}{}:
	default:
		return
	}
	defer func() { <-l.waiting }()
	timer := time.NewTimer(loginDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

func (l *logins) isKnown(sum [sha256.Size]byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.right[sum]
}

func (l *logins) know(sum [sha256.Size]byte, known bool) {
	if known {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.right) >= loginsKnown {
		clear(l.right)
	}
	l.right[sum] = true
}
