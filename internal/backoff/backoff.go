// Package backoff waits between attempts: longer after each failure, and with
// jitter, so that many processes do not retry at the same time.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// The lengths of the first wait and of the longest.
const (
	first   = 50 * time.Millisecond
	longest = 5 * time.Second
)

// Backoff is a series of waits, each up to twice as long as the one before, up to
// 5 seconds. Its zero value is a new series. One goroutine uses it.
type Backoff struct{ length time.Duration }

// Next returns the length of the next wait, which lies between half of the
// series' current length and all of it.
func (b *Backoff) Next() time.Duration {
	d := max(b.length, first)
	b.length = min(2*d, longest)
	return d/2 + rand.N(d/2)
}

// Reset begins the series again.
func (b *Backoff) Reset() { b.length = 0 }

// Sleep waits for the next length. It returns false if ctx ends first.
func (b *Backoff) Sleep(ctx context.Context) bool { return Sleep(ctx, b.Next()) }

// Sleep waits for d. It returns false if ctx ends first.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
