package worker

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// waiter has idle slots look as soon as there may be a job, instead of at the
// next poll. Who pushed the job does not matter. It gives up a strategy that the
// server refuses for the next one: key tracking, a blocking move, polling alone.
type waiter struct {
	backend waiting
	x       *exchange
	cfg     Config
}

// waiting is what a waiter needs of the store.
type waiting interface {
	NewWatch(ctx context.Context) (*store.Watch, error)
	AwaitJob(ctx context.Context, queue string, atMost time.Duration) (found bool, err error)
}

// watch is a *store.Watch.
type watch interface {
	Arm(queues []string, names bool) error
	Wait(ctx context.Context) (renamed bool, err error)
	Ping() error
	Close()
}

// waitForJobs wakes x's idle slots until ctx ends. A backend that cannot wait,
// or a MaxWaiting that allows nothing, leaves them to the polls.
func waitForJobs(ctx context.Context, backend any, x *exchange, cfg Config) {
	b, ok := backend.(waiting)
	if !ok || cfg.MaxWaiting < 0 {
		return
	}
	w := &waiter{backend: b, x: x, cfg: cfg}
	for wait := newBackoff(); ctx.Err() == nil; wait.sleep(ctx) {
		if cfg.MaxWaiting < 2 {
			break
		}
		watch, err := b.NewWatch(ctx)
		if store.Unsupported(err) {
			cfg.Logger.Debug("redis does not track keys here", "err", err)
			break
		}
		if err == nil {
			wait = newBackoff()
			w.track(ctx, watch)
		}
	}
	w.block(ctx)
}

// track waits by w's watch until ctx ends or a connection breaks. It arms first
// and looks then, so that nothing falls between the two.
func (w *waiter) track(ctx context.Context, watch watch) {
	ctx, cancel := context.WithCancel(ctx)
	var pings sync.WaitGroup
	pings.Go(func() {
		defer cancel()
		for pause(ctx, store.PingInterval) {
			if watch.Ping() != nil {
				return
			}
		}
	})
	defer watch.Close()
	defer pings.Wait()
	defer cancel()

	rest := newRest(200 * time.Millisecond)
	for {
		m, ok := w.x.await(ctx, func(m moment) bool { return m.idle })
		if !ok || watch.Arm(m.names, w.x.queues.dynamic) != nil {
			return
		}
		if found, ok := w.look(ctx); !ok {
			return
		} else if found {
			rest.over() // its pop is told next, for nothing
			continue
		}
		renamed, err := watch.Wait(ctx)
		if err != nil {
			return
		}
		if renamed {
			w.x.queues.forget()
		}
		found, ok := w.look(ctx)
		if !ok || !rest.after(ctx, found) {
			return
		}
	}
}

// look has the idle slots look and says whether they found a job. While jobs of
// unknown classes are left to others, it is the poll that looks.
func (w *waiter) look(ctx context.Context) (found, ok bool) {
	before, _ := w.x.now()
	if wait := time.Until(before.quiet); wait > 0 && !pause(ctx, wait) {
		return false, false
	}
	w.x.wake()
	after, ok := w.x.await(ctx, func(m moment) bool { return m.looks > before.looks })
	return after.found > before.found, ok
}

// block waits for each queue by a blocking move, as many queues as MaxWaiting
// allows, and begins again when the queues are others.
func (w *waiter) block(ctx context.Context) {
	var names []string
	for ctx.Err() == nil {
		m, ok := w.x.await(ctx, func(m moment) bool { return !slices.Equal(m.names, names) })
		if !ok {
			return
		}
		names = m.names
		ctx, cancel := context.WithCancel(ctx)
		var queues sync.WaitGroup
		for _, q := range names[:min(len(names), w.cfg.MaxWaiting)] {
			queues.Go(func() { w.blockOn(ctx, q) })
		}
		w.x.await(ctx, func(m moment) bool { return !slices.Equal(m.names, names) })
		cancel()
		queues.Wait()
	}
}

// blockOn waits for one queue, and only while slots are idle: the move answers
// at once while jobs wait, and so would spin beside slots that are busy.
func (w *waiter) blockOn(ctx context.Context, queue string) {
	rest := newRest(time.Second)
	failed := newBackoff()
	for {
		if _, ok := w.x.await(ctx, func(m moment) bool { return m.idle }); !ok {
			return
		}
		found, err := w.backend.AwaitJob(ctx, queue, 5*time.Second)
		switch {
		case err != nil:
			if !failed.sleep(ctx) {
				return
			}
			continue
		case found:
			found, ok := w.look(ctx)
			if !ok || !rest.after(ctx, found) {
				return
			}
		}
		failed = newBackoff()
	}
}

// rest slows down who is woken for nothing: others were faster, or the queue is
// paused. Each time in a row it waits longer, never the same as its peers.
type rest struct{ length, most time.Duration }

func newRest(most time.Duration) *rest { return &rest{most: most} }

// over has the next rest be short again.
func (r *rest) over() { r.length = 0 }

func (r *rest) after(ctx context.Context, found bool) bool {
	if found {
		r.over()
		return ctx.Err() == nil
	}
	r.length = min(max(2*r.length, 2*time.Millisecond), r.most)
	return pause(ctx, rand.N(r.length))
}
