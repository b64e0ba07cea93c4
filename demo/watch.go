package demo

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// lookEvery is how often the database is asked for changes: one row, and only
// while somebody waits. The worker is another process and cannot tell us.
const lookEvery = 250 * time.Millisecond

// watcher wakes who waits for an export to change. It has an owner, run.
type watcher struct {
	db    *database
	log   *slog.Logger
	poke  chan struct{} // somebody has begun to wait
	ended chan struct{} // closed when run ends: nobody would wake them

	mu      sync.Mutex
	waiting int
	version int64         // the latest seen
	begun   int           // how often versions began anew
	changed chan struct{} // closed, and made anew, when version changes
}

func newWatcher(db *database, log *slog.Logger) *watcher {
	return &watcher{db: db, log: log, poke: make(chan struct{}, 1), ended: make(chan struct{}), changed: make(chan struct{})}
}

// wait returns true when something has a higher version, or versions have begun
// anew, and false when ctx or the watcher has ended.
func (w *watcher) wait(ctx context.Context, version int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting++
	defer func() { w.waiting-- }()
	select {
	case w.poke <- struct{}{}:
	default:
	}
	for begun := w.begun; w.version <= version && w.begun == begun; {
		changed := w.changed
		w.mu.Unlock()
		alive := true
		select {
		case <-changed:
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
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	quiet := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if !w.wanted() {
				continue
			}
		case <-w.poke: // also for one that is gone: it comes back at once where our version is too high
		}
		version, err := w.db.version(ctx)
		if err == nil {
			w.see(version)
		} else if !quiet && ctx.Err() == nil {
			w.log.Error("changes of exports cannot be seen", "err", err)
		}
		quiet = err != nil // it is said once
	}
}

func (w *watcher) wanted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting > 0
}

// see wakes who waits. A version falls when somebody empties the database: who
// would wait until it is as high again would wait for ever, and who has seen a
// lower one would never wait.
func (w *watcher) see(version int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if version == w.version {
		return
	}
	if version < w.version {
		w.begun++
	}
	w.version = version
	close(w.changed)
	w.changed = make(chan struct{})
}
