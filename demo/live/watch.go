package live

import (
	"context"
	"sync"
	"time"
)

// watcher wakes requests that wait for a change. It asks the database for one
// number, and only while a request waits: the worker is another process and cannot
// tell.
type watcher struct {
	cfg   Config
	poke  chan struct{} // a request has begun to wait
	ended chan struct{} // closed when run ends

	mu      sync.Mutex
	waiting int
	version int64         // the latest seen
	begun   int           // how often versions began again
	looks   int           // how often run has looked
	looked  chan struct{} // closed, and replaced, after each look
}

func newWatcher(cfg Config) *watcher {
	return &watcher{cfg: cfg, poke: make(chan struct{}, 1), ended: make(chan struct{}), looked: make(chan struct{})}
}

// wait returns true when something has a higher version, or versions have begun
// again, and false when ctx or the watcher has ended.
func (w *watcher) wait(ctx context.Context, version int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting++
	defer func() { w.waiting-- }()
	select {
	case w.poke <- struct{}{}:
	default:
	}
	// At least one look: after versions have begun again, ours is too high until then,
	// and a caller that waits again and again would spin.
	for begun, looks := w.begun, w.looks; w.looks == looks || w.version <= version && w.begun == begun; {
		looked := w.looked
		w.mu.Unlock()
		alive := true
		select {
		case <-looked:
		case <-ctx.Done():
			alive = false
		case <-w.ended:
			alive = false
		}
		w.mu.Lock()
		if !alive {
			return false
		}
	}
	return true
}

// run looks until ctx ends.
func (w *watcher) run(ctx context.Context) error {
	defer close(w.ended)
	tick := time.NewTicker(w.cfg.LookEvery)
	defer tick.Stop()
	quiet := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if w.count() == 0 {
				continue
			}
		case <-w.poke: // a request begins to wait, and need not wait for the tick
		}
		version, err := w.cfg.Version(ctx)
		w.see(version, err)
		if err != nil && !quiet && ctx.Err() == nil {
			w.cfg.Log.Error("changes of exports cannot be seen", "err", err)
		}
		quiet = err != nil // logged once
	}
}

func (w *watcher) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting
}

// see wakes the requests that wait. A version falls when the database is emptied. A
// request that waited until it is as high again would wait for ever.
func (w *watcher) see(version int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	if err == nil && version < w.version {
		w.begun++
	}
	if err == nil {
		w.version = version
	}
	close(w.looked)
	w.looked = make(chan struct{})
}
