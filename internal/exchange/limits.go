package exchange

import (
	"context"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// freer frees the places of a queue's limit that are held for jobs which no longer run.
type freer interface {
	FreeDead(ctx context.Context, queue string) (freed int, err error)
}

// checkInterval is how often an exchange that a limit keeps from taking jobs looks for
// jobs that no longer run, but still count.
const checkInterval = 5 * time.Second

// noteDenied notes the queues of which limits allowed no job at the last look.
func (x *Exchange) noteDenied(denied []store.Denied) {
	x.mu.Lock()
	x.denied, x.deniedAt = denied, time.Now()
	x.mu.Unlock()
	if len(denied) == 0 {
		return
	}
	select {
	case x.limited <- struct{}{}:
	default: // it is told already
	}
}

// followLimits makes the idle slots look when a limit that kept them from taking a job
// allows one: when the time has come by its rate, or when it has freed places. It returns
// when ctx ends. Tracking of keys reports that a job has ended, or that a limit changed.
func (x *Exchange) followLimits(ctx context.Context) {
	checked := map[string]time.Time{}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.limited:
		case <-timer.C:
		}
		x.mu.Lock()
		denied, since := x.denied, x.deniedAt
		x.mu.Unlock()
		next, look := time.Now().Add(time.Hour), false
		for _, d := range denied {
			due := since.Add(d.Wait)
			if d.Wait < 0 {
				if time.Since(checked[d.Queue]) >= checkInterval {
					checked[d.Queue] = time.Now()
					look = x.freeDead(ctx, d.Queue) || look
				}
				due = checked[d.Queue].Add(checkInterval)
			} else if !due.After(time.Now()) {
				look = true
				continue
			}
			if due.Before(next) {
				next = due
			}
		}
		if look {
			x.wake()
		}
		timer.Reset(time.Until(next))
	}
}

// freeDead reports whether it has freed places of a queue's limit.
func (x *Exchange) freeDead(ctx context.Context, queue string) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	freed, err := x.backend.FreeDead(ctx, queue)
	switch {
	case err != nil && ctx.Err() == nil:
		x.cfg.Logger.Warn("cannot check which jobs run by a limit", append(x.cfg.Attrs.of(err), "queue", queue)...)
	case freed > 0:
		x.cfg.Logger.Info("jobs that no longer run do not count by a limit any more", "queue", queue, "jobs", freed)
	}
	return freed > 0
}

// unparker moves jobs that wait for a limit by key back to their queues.
type unparker interface {
	Unpark(ctx context.Context, limit string) (moved bool, err error)
}

// unpark moves one job for each of the limits to the front of its queue. If that fails,
// the jobs wait until they are due.
func (x *Exchange) unpark(ctx context.Context, limits []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	found := false
	for _, limit := range limits {
		moved, err := x.backend.Unpark(ctx, limit)
		if err != nil {
			x.cfg.Logger.Warn("a job waits longer for a limit than it must", append(x.cfg.Attrs.of(err), "limit", limit)...)
			return
		}
		found = found || moved
	}
	if found {
		x.wake()
	}
}
