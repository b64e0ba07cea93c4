package scheduler

import (
	"context"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
)

// rest is how long messages of Redis are collected before the scheduler looks, so that
// many programs that delay jobs do not make it look all the time.
const rest = 40 * time.Millisecond

// news makes Redis tell of changes: the master of delayed seconds, and the others of the
// lock.
type news struct {
	mu     sync.Mutex
	watch  *store.Watch // nil while there is none
	master bool
}

func (n *news) setMaster(master bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.master = master
}

// armDelayed makes Redis tell of delayed seconds from now on.
func (n *news) armDelayed() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.watch != nil {
		_ = n.watch.ArmDelayed() // if the connection is broken, track finds out
	}
}

// arm makes Redis tell of the next change. It reports whether to look now: not if the
// change was only that another scheduler has renewed its lock.
func (n *news) arm(w *store.Watch, prefix string) (look bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.watch = w
	if n.master {
		return true, w.ArmDelayed()
	}
	held, err := w.ArmMaster(prefix)
	return !held, err
}

func (n *news) close(w *store.Watch) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.watch = nil
	w.Close()
}

// watch makes the scheduler look when Redis tells of a change, until ctx ends. If the
// server does not support that, only the polls remain.
func (r *run) watch(ctx context.Context) {
	var wait backoff.Backoff
	for ; ctx.Err() == nil; wait.Sleep(ctx) {
		w, err := r.store.NewWatch(ctx)
		if store.Unsupported(err) {
			r.cfg.Logger.Debug("redis does not support key tracking", "err", err)
			return
		}
		if err == nil {
			wait.Reset()
			r.track(ctx, w)
		}
	}
}

// track waits for changes until ctx ends or a connection breaks. It arms the watch before
// each look, so that it misses no change.
func (r *run) track(ctx context.Context, w *store.Watch) {
	ctx, cancel := context.WithCancel(ctx)
	var pings sync.WaitGroup
	pings.Go(func() {
		defer cancel()
		for backoff.Sleep(ctx, store.PingInterval) {
			if w.Ping() != nil {
				return
			}
		}
	})
	defer r.news.close(w)
	defer pings.Wait()
	defer cancel()
	for {
		look, err := r.news.arm(w, r.cfg.LockPrefix)
		if err != nil {
			return
		}
		if look {
			r.look()
		}
		if _, err := w.Wait(ctx); err != nil || !backoff.Sleep(ctx, rest) {
			return
		}
	}
}
