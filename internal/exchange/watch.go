package exchange

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
)

// watcher is what an exchange needs of the store to wait for jobs.
type watcher interface {
	NewWatch(ctx context.Context) (*store.Watch, error)
	AwaitJob(ctx context.Context, queue string, atMost time.Duration) (found bool, err error)
}

// tracker is a *store.Watch.
type tracker interface {
	Arm(queues []string, names bool) error
	Wait(ctx context.Context) (renamed bool, err error)
	Ping() error
	Close()
}

// watch makes idle slots look as soon as there may be a job, instead of at the next
// poll, until ctx ends. It uses key tracking or, if the server does not support that, a
// blocking move. If neither works, only the polls remain.
func (x *Exchange) watch(ctx context.Context) {
	if x.cfg.MaxWaiting < 0 {
		return
	}
	wait := backoff.Backoff{Limit: retryLimit}
	for ; ctx.Err() == nil; wait.Sleep(ctx) {
		if x.cfg.MaxWaiting < 2 {
			break
		}
		t, err := x.backend.NewWatch(ctx)
		if store.Unsupported(err) {
			x.cfg.Logger.Debug("redis does not support key tracking", "err", err)
			break
		}
		if err == nil {
			wait.Reset()
			x.track(ctx, t)
		}
	}
	x.block(ctx)
}

// track waits with key tracking until ctx ends or a connection breaks. It arms the
// watch before each look, so that it misses no job.
func (x *Exchange) track(ctx context.Context, t tracker) {
	ctx, cancel := context.WithCancel(ctx)
	var pings sync.WaitGroup
	pings.Go(func() {
		defer cancel()
		for backoff.Sleep(ctx, store.PingInterval) {
			if t.Ping() != nil {
				return
			}
		}
	})
	defer t.Close()
	defer pings.Wait()
	defer cancel()

	rest := newRest(200 * time.Millisecond)
	for {
		now, ok := x.await(ctx, func(s state) bool { return s.idle })
		if !ok || t.Arm(now.queues, x.caller.queues.dynamic) != nil {
			return
		}
		if found, ok := x.lookNow(ctx); !ok {
			return
		} else if found {
			rest.reset() // the next message is about this pop
			continue
		}
		renamed, err := t.Wait(ctx)
		if err != nil {
			return
		}
		if renamed {
			x.caller.queues.forget()
		}
		found, ok := x.lookNow(ctx)
		if !ok || !rest.after(ctx, found) {
			return
		}
	}
}

// lookNow makes the idle slots look, and reports whether they found a job. If the last
// jobs were put back for other workers, it first waits for the poll interval. ok is
// false if ctx ends.
func (x *Exchange) lookNow(ctx context.Context) (found, ok bool) {
	before, _ := x.now()
	if wait := time.Until(before.quiet); wait > 0 && !backoff.Sleep(ctx, wait) {
		return false, false
	}
	x.wakeOne()
	after, ok := x.await(ctx, func(s state) bool { return s.looks > before.looks })
	return after.found > before.found, ok
}

// block waits for jobs in the first MaxWaiting queues, with a blocking move for each.
// It starts again when the queues change.
func (x *Exchange) block(ctx context.Context) {
	var names []string
	for ctx.Err() == nil {
		now, ok := x.await(ctx, func(s state) bool { return !slices.Equal(s.queues, names) })
		if !ok {
			return
		}
		names = now.queues
		ctx, cancel := context.WithCancel(ctx)
		var queues sync.WaitGroup
		for _, q := range names[:min(len(names), x.cfg.MaxWaiting)] {
			queues.Go(func() { x.blockOn(ctx, q) })
		}
		x.await(ctx, func(s state) bool { return !slices.Equal(s.queues, names) })
		cancel()
		queues.Wait()
	}
}

// blockOn waits for jobs in one queue while slots are idle. If all slots were busy, the
// move would return at once, again and again, for a job that they cannot take.
func (x *Exchange) blockOn(ctx context.Context, queue string) {
	rest := newRest(time.Second)
	var failed backoff.Backoff
	for {
		if _, ok := x.await(ctx, func(s state) bool { return s.idle }); !ok {
			return
		}
		found, err := x.backend.AwaitJob(ctx, queue, 5*time.Second)
		switch {
		case err != nil:
			if !failed.Sleep(ctx) {
				return
			}
			continue
		case found:
			found, ok := x.lookNow(ctx)
			if !ok || !rest.after(ctx, found) {
				return
			}
		}
		failed.Reset()
	}
}

// rest slows down looks that find no job, because other workers were faster or the
// queue is paused. Each wait in a row is longer, with jitter.
type rest struct{ length, most time.Duration }

func newRest(most time.Duration) *rest { return &rest{most: most} }

// reset makes the next wait short again.
func (r *rest) reset() { r.length = 0 }

// after waits after a look that found no job. It returns false if ctx ends.
func (r *rest) after(ctx context.Context, found bool) bool {
	if found {
		r.reset()
		return ctx.Err() == nil
	}
	r.length = min(max(2*r.length, 2*time.Millisecond), r.most)
	return backoff.Sleep(ctx, rand.N(r.length))
}
