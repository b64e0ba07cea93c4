package scheduler

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// dueSeconds is how many due seconds a turn handles at most, in addition to those that
// cannot be read. A turn that handles few takes and renews the lock more often.
const dueSeconds = 2000

// releaseTimeout is how long Run waits for Redis when it releases the lock at its end. The
// lock of a Redis that hangs expires by itself.
const releaseTimeout = time.Second

// backend is what a scheduler needs of the store.
type backend interface {
	TakeMaster(ctx context.Context, m store.Master, limit int) (store.Mastership, error)
	ReleaseMaster(ctx context.Context, m store.Master) (released bool, err error)
	NewWatch(ctx context.Context) (*store.Watch, error)
}

// run is a call of Run.
type run struct {
	*Scheduler
	redis   *exchange.Outage
	backoff backoff.Backoff
	news    news
}

// Run moves and enqueues jobs until ctx ends. Then it releases the lock and returns nil.
// While Redis is away, it tries again. It returns an error only if the scheduler is already
// running.
//
// Ruby: Resque::Scheduler.run.
func (s *Scheduler) Run(ctx context.Context) error {
	if !s.running.TryLock() {
		return errors.New("scheduler: Run was called while the scheduler is running")
	}
	defer s.running.Unlock()
	r := &run{Scheduler: s}
	r.redis = &exchange.Outage{Begun: "scheduler cannot work with redis, trying again", Over: "scheduler works with redis again", Attrs: resque.LogAttrs, Logger: s.cfg.Logger}
	s.cfg.Logger.Info("scheduler started", "scheduler", s.master.Token, "interval", s.cfg.Interval)
	s.setState(State{Running: true})

	watching, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { r.watch(watching) })
	for ctx.Err() == nil {
		r.wait(ctx, r.turn(ctx))
	}
	cancel()
	watch.Wait()
	r.release(ctx)
	s.setState(State{})
	s.cfg.Logger.Info("scheduler stopped", "scheduler", s.master.Token)
	return nil
}

// turn takes or renews the lock and performs the duties if it is ours. It returns how
// long to wait until the next turn.
func (r *run) turn(ctx context.Context) time.Duration {
	reload := r.reload.Swap(false)
	m, err := r.store.TakeMaster(ctx, r.master, dueSeconds+len(r.mover.unreadable))
	if err != nil {
		return r.failed(ctx, err)
	}
	asked := time.Now()
	changed := r.note(m)
	if m.Holder != r.master.Token {
		r.works()
		return r.cfg.poll()
	}
	if changed {
		r.news.armDelayed() // before the look of the next turn
	}
	t := turn{master: r.master, now: m.Now, began: changed || reload, due: m.Due, next: m.Next}
	next := t.now.Add(r.cfg.poll())
	for _, d := range r.duties {
		at, err := d.perform(ctx, t)
		if errors.Is(err, store.ErrNotMaster) {
			return 0 // the next turn finds out who is
		}
		if err != nil {
			return r.failed(ctx, err)
		}
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	r.works()
	if changed || !next.After(t.now) {
		return 0
	}
	// A second has come when Redis's clock shows it. A millisecond more avoids a look
	// that is too early.
	return next.Sub(t.now) - time.Since(asked) + time.Millisecond
}

// failed reports an error of a turn and returns how long to wait.
func (r *run) failed(ctx context.Context, err error) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	r.redis.Began(err)
	return r.backoff.Next()
}

func (r *run) works() {
	r.redis.Ended()
	r.backoff.Reset()
}

// wait waits for d, or until the scheduler is woken.
func (r *run) wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-r.wake:
	case <-timer.C:
	}
}

// note logs a change of the master. It returns true if this scheduler has become master.
func (r *run) note(m store.Mastership) (became bool) {
	before := r.State()
	if before.Holder == m.Holder {
		return false
	}
	now := State{Running: true, Holder: m.Holder, Master: m.Holder == r.master.Token}
	r.news.setMaster(now.Master)
	r.setState(now)
	switch ruby := !isGo(m.Holder); {
	case now.Master:
		r.cfg.Logger.Info("scheduler is master", "scheduler", r.master.Token)
	case before.Master:
		r.cfg.Logger.Warn("scheduler is no longer master", "master", m.Holder, "ruby", ruby)
	default:
		r.cfg.Logger.Info("another scheduler is master", "master", m.Holder, "ruby", ruby)
	}
	return now.Master
}

// isGo reports whether the text in the lock was written by a Go scheduler.
func isGo(holder string) bool {
	id, _ := wire.ParseWorkerID(holder)
	return id.Go
}

// release releases the lock, so that another scheduler continues at once.
func (r *run) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if _, err := r.store.ReleaseMaster(ctx, r.master); err != nil && r.State().Master {
		r.cfg.Logger.Warn("the lock of the scheduler could not be released, it expires by itself", append(resque.LogAttrs(err), "ttl", r.cfg.LockTTL)...)
	}
}
