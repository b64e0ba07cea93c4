// Package backoff waits between attempts. Each wait is longer than the one before and
// has jitter, so that many processes do not retry at the same time.
package backoff

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"
)

// The upper limits of the first wait and of the longest.
const (
	first   = 50 * time.Millisecond
	longest = 5 * time.Second
)

// Backoff is a series of waits. The upper limit of a wait is 50 ms at first, doubles with
// each wait, and is at most Limit. The zero value is a new series. A Backoff is not safe
// for concurrent use.
type Backoff struct {
	Limit  time.Duration // defaults to 5 s
	length time.Duration
}

// Next returns the length of the next wait, which is random between half of its upper
// limit and the upper limit.
func (b *Backoff) Next() time.Duration {
	d := max(b.length, first)
	b.length = min(2*d, cmp.Or(b.Limit, longest))
	return d/2 + rand.N(d/2)
}

// Reset starts a new series.
func (b *Backoff) Reset() { b.length = 0 }

// Sleep waits for Next. It returns false if ctx ends first.
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
