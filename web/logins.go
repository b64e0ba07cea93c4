package web

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"
)

// logins slows down guessing of passwords. The answer to a failed sign-in is delayed,
// and while many such answers are waiting, unknown credentials are refused without a
// check. Credentials that were accepted before are never delayed.
type logins struct {
	waiting chan struct{} // one element per delayed answer

	mu    sync.Mutex
	right map[[sha256.Size]byte]bool // digests of accepted Authorization headers
}

const (
	loginDelay    = time.Second
	loginsWaiting = 20  // delayed answers, at most
	loginsKnown   = 200 // digests, at most
)

func newLogins() *logins {
	return &logins{waiting: make(chan struct{}, loginsWaiting), right: map[[sha256.Size]byte]bool{}}
}

// authenticate calls cfg.Auth. If it refuses credentials, authenticate logs that
// without the password, and delays the answer.
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
	case !errors.Is(err, ErrUnauthorized):
		return access, err
	}
	user, _, _ := r.BasicAuth() // empty for another kind of credentials
	cfg.Logger.Warn("dashboard sign-in failed", "user", cut(100, user), "remote", r.RemoteAddr)
	l.wait(r)
	return access, err
}

// wait delays the answer to a failed sign-in, unless too many are waiting already.
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
