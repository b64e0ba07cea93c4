package scheduler

import (
	"context"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// A duty is a kind of work that the master does: moving delayed jobs, and firing
// recurring entries. To add one, implement duty and add it in [New].
type duty interface {
	// perform does what is due at t.now and returns when it must be called again; zero
	// means only at the next poll. It must return within about 100 milliseconds, with
	// t.now if there is more to do, so that the lock is renewed and other duties have
	// their turn. Its scripts must compare the lock with the token of t.master. If
	// that is not the master any more, perform returns an error that wraps
	// [store.ErrNotMaster]. After any other error it is called again with backoff.
	//
	// One goroutine calls the performs of all duties. They may be called at any time,
	// also when nothing is due.
	perform(ctx context.Context, t turn) (next time.Time, err error)
}

// turn is one turn of the master: the lock was renewed just before.
type turn struct {
	master store.Master // for scripts
	now    time.Time    // by Redis's clock
	began  bool         // the scheduler became master in this turn, or Reload was called

	due  []string  // due seconds that have delayed jobs
	next time.Time // the first second with delayed jobs that is not due; zero if there is none
}
