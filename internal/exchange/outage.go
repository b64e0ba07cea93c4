package exchange

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/backoff"
)

// Outage logs an outage of Redis: once when it begins and once when it is over. It is
// safe for concurrent use.
type Outage struct {
	Begun, Over string // the log messages
	Attrs       Attrs
	Logger      *slog.Logger

	mu    sync.Mutex
	since time.Time
}

// Attrs returns the attributes of a log line about an error. Packages that know the causes
// of errors pass resque.LogAttrs. Nil means only the error.
type Attrs func(err error) []any

func (a Attrs) of(err error) []any {
	if a == nil {
		return []any{"err", err}
	}
	return a(err)
}

// Began reports an error of the outage.
func (o *Outage) Began(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		o.since = time.Now()
		o.Logger.Error(o.Begun, o.Attrs.of(err)...) //nolint:sloglint // a constant of the caller's
	}
}

// Ended reports that there is no outage.
func (o *Outage) Ended() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.since.IsZero() {
		o.Logger.Info(o.Over, "duration", time.Since(o.since).Round(time.Millisecond)) //nolint:sloglint // a constant of the caller's
		o.since = time.Time{}
	}
}

// retry waits between attempts of a call. The attempts have no limit until ctx ends,
// and then end after a timeout.
type retry struct {
	backoff backoff.Backoff
	timeout time.Duration
	until   time.Time
}

// retryLimit is the longest wait between attempts. It is short, so that jobs are performed
// soon after another server has become the master.
const retryLimit = 1500 * time.Millisecond

func newRetry(timeout time.Duration) *retry {
	return &retry{timeout: timeout, backoff: backoff.Backoff{Limit: retryLimit}}
}

// again waits for the next attempt. It returns false if there must be none.
func (r *retry) again(ctx context.Context) bool {
	if ctx.Err() == nil {
		r.backoff.Sleep(ctx)
		return true
	}
	if r.until.IsZero() {
		r.until = time.Now().Add(r.timeout)
	}
	return time.Now().Before(r.until) && r.backoff.Sleep(context.WithoutCancel(ctx))
}
