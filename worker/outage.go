package worker

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// leaveTimeout is how long a stopping worker tries to reach a Redis that is
// away, before it gives up and leaves the rest to those who sweep.
const leaveTimeout = 20 * time.Second

// outage tells of a trouble with Redis: once when it begins, once when it is
// over, however many goroutines notice.
type outage struct {
	log   *slog.Logger
	begun string
	over  string
	mu    sync.Mutex
	since time.Time
}

// away is Redis not answering.
func away(log *slog.Logger) *outage {
	return &outage{log: log, begun: "redis is away, trying again", over: "redis is back"}
}

// silenced is Redis answering, but refusing heartbeats: it is full or read only.
func silenced(log *slog.Logger) *outage {
	return &outage{log: log, begun: "redis refuses heartbeats, trying again", over: "redis takes heartbeats again"}
}

func (o *outage) began(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		o.since = time.Now()
		o.log.Error(o.begun, "err", err) //nolint:sloglint // one of two constants
	}
}

func (o *outage) ended() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.since.IsZero() {
		o.log.Info(o.over, "duration", time.Since(o.since).Round(time.Millisecond)) //nolint:sloglint // one of two constants
		o.since = time.Time{}
	}
}

// backoff is a series of waits that grow to 5 s, each anywhere between half and
// all of its length, so that many workers do not come back at once.
type backoff struct{ length time.Duration }

func newBackoff() *backoff { return &backoff{50 * time.Millisecond} }

func (b *backoff) next() time.Duration {
	d := b.length
	b.length = min(2*b.length, 5*time.Second)
	return d/2 + rand.N(d/2)
}

// sleep waits for the next length; false when ctx ended first.
func (b *backoff) sleep(ctx context.Context) bool { return pause(ctx, b.next()) }

// pause waits for d; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// patience is how long a call is tried again: for ever, but once the worker is
// stopping no longer than leaveTimeout.
type patience struct {
	backoff *backoff
	until   time.Time
}

func newPatience() *patience { return &patience{backoff: newBackoff()} }

func (p *patience) again(ctx context.Context) bool {
	if ctx.Err() == nil {
		p.backoff.sleep(ctx)
		return true
	}
	if p.until.IsZero() {
		p.until = time.Now().Add(leaveTimeout)
	}
	return time.Now().Before(p.until) && p.backoff.sleep(context.WithoutCancel(ctx))
}
