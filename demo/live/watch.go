package live

import (
	"context"
	"sync"
	"time"
)

// watcher wakes requests that wait for a change. While a request waits, it polls one
// number in the database: the worker is another process, so it cannot wake requests
// itself.
type watcher struct {
	cfg   Config
	poke  chan struct{} // receives when a request starts to wait
	ended chan struct{} // closed when run ends

	mu      sync.Mutex
	waiting int
	version int64         // the latest one read
	begun   int           // how many times the version has fallen
	looks   int           // how many times run has looked
	looked  chan struct{} // closed and replaced after each look
}

func newWatcher(cfg Config) *watcher {
	return &watcher{cfg: cfg, poke: make(chan struct{}, 1), ended: make(chan struct{}), looked: make(chan struct{})}
}

// wait waits until the version is higher than the given one or falls, and returns
// true. It returns false if ctx or the watcher ends first.
func (w *watcher) wait(ctx context.Context, version int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting++
	defer func() { w.waiting-- }()
	select {
	case w.poke <- struct{}{}:
	default:
	}
	// Wait for at least one look. After a reset w.version is too high until then, and
	// a caller that waits again and again would spin.
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

// run looks for changes until ctx ends.
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
		case <-w.poke: // look at once for a request that starts to wait
		}
		version, err := w.cfg.Version(ctx)
		w.see(version, err)
		if err != nil && !quiet && ctx.Err() == nil {
			w.cfg.Log.Error("looking for changes failed", "err", err)
		}
		quiet = err != nil // log only the first of consecutive errors
	}
}

func (w *watcher) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting
}

// see stores a version and wakes the requests that wait. After a reset of the
// database the version is lower; see counts that, because a request that waits for a
// higher version would wait too long.
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
