package exchange

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/backoff"
)

// Outage logs a trouble with Redis: once when it begins and once when it is over,
// however many goroutines notice. Its methods may be called by several goroutines
// at once.
type Outage struct {
	Begun, Over string // what is logged
	Logger      *slog.Logger

	mu    sync.Mutex
	since time.Time
}

// Began notes that the trouble is there.
func (o *Outage) Began(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		o.since = time.Now()
		o.Logger.Error(o.Begun, "err", err) //nolint:sloglint // a constant of the caller's
	}
}

// Ended notes that the trouble is not there.
func (o *Outage) Ended() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.since.IsZero() {
		o.Logger.Info(o.Over, "duration", time.Since(o.since).Round(time.Millisecond)) //nolint:sloglint // a constant of the caller's
		o.since = time.Time{}
	}
}

// patience is how long a call is tried again: without a limit, but once ctx has
// ended for no longer than a timeout.
type patience struct {
	backoff backoff.Backoff
	timeout time.Duration
	until   time.Time
}

func newPatience(timeout time.Duration) *patience { return &patience{timeout: timeout} }

// again waits for the next attempt. It returns false if there is none.
func (p *patience) again(ctx context.Context) bool {
	if ctx.Err() == nil {
		p.backoff.Sleep(ctx)
		return true
	}
	if p.until.IsZero() {
		p.until = time.Now().Add(p.timeout)
	}
	return time.Now().Before(p.until) && p.backoff.Sleep(context.WithoutCancel(ctx))
}
