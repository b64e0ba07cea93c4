package worker

import (
	"context"
	"crypto/rand"
	"errors"
	rnd "math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// sweeper prunes dead workers: it finishes their jobs and removes their keys. It looks
// several times per heartbeat interval, and a watch decides which workers are dead.
// Several sweepers may run at the same time; each dead worker is pruned once.
type sweeper struct {
	client  *resque.Client
	backend pruner
	handler resque.Handler
	cfg     Config
	trouble *exchange.Outage
	doubted atomic.Bool

	// Only the goroutine of run uses these.
	watch   watch
	looked  bool
	checked map[string]string // the beginnings of records that Ruby can read, by worker
	told    map[string]bool   // the actions whose errors were logged
}

// pruner has the methods of the store that a sweeper uses.
type pruner interface {
	Beat(ctx context.Context, workers []string, intervals store.Intervals) error
	Observe(ctx context.Context) (store.Observation, error)
	ForgetIntervals(ctx context.Context, workers []string) error
	Connected(ctx context.Context, processes []string) (open map[string][]string, ok bool, err error)
	RepairRecord(ctx context.Context, worker, seen string) (head string, repaired bool, err error)
	LockPruning(ctx context.Context, token string, expiry time.Duration) (ok bool, err error)
	UnlockPruning(ctx context.Context, token string) error
	Heartbeats(ctx context.Context) (beats map[string]string, now time.Time, err error)
	Record(ctx context.Context, worker string) (store.Record, error)
}

func newSweeper(client *resque.Client, backend pruner, handler resque.Handler, cfg Config) *sweeper {
	return &sweeper{
		client: client, backend: backend, handler: handler, cfg: cfg, watch: watch{own: cfg.intervals()}, told: map[string]bool{},
		trouble: &exchange.Outage{
			Begun: "looking for dead workers failed, trying again", Over: "looking for dead workers works again",
			Attrs: resque.LogAttrs, Logger: cfg.Logger,
		},
	}
}

// run sweeps until ctx ends, and never prunes own. The waits have jitter, so that the
// sweepers of many workers do not run at the same time. They are shorter than a watch
// requires, because a sweep also takes time.
func (s *sweeper) run(ctx context.Context, own []string) {
	every := s.cfg.HeartbeatInterval
	for wait := rnd.N(every/10 + 1); backoff.Sleep(ctx, wait); wait = every/4 + rnd.N(every/8+1) {
		if err := s.sweep(ctx, own); err == nil {
			s.trouble.Ended()
		} else if ctx.Err() == nil {
			s.trouble.Began(err)
		}
	}
}

// sweep prunes the workers that are dead now. It takes Ruby's lock only if there are any,
// because a Ruby worker that boots while the lock is held prunes nothing. An error about
// one worker does not affect the others; it is logged.
//
// Ruby: Resque::Worker#prune_dead_workers.
func (s *sweeper) sweep(ctx context.Context, own []string) error {
	dead, err := s.look(ctx, own)
	if err != nil {
		s.watch.restart()
		return err
	}
	s.repair(ctx)
	if len(dead) == 0 {
		return nil
	}
	token := rand.Text()
	if ok, err := s.backend.LockPruning(ctx, token, 10*time.Second); err != nil || !ok {
		return err
	}
	defer func() { _ = s.backend.UnlockPruning(context.WithoutCancel(ctx), token) }() // on error the lock expires
	for _, id := range dead {
		_, err := s.prune(ctx, id, s.watch.workers[id].beat)
		if s.isNews(ctx, "prune "+id, err) {
			s.cfg.Logger.Error("a dead worker cannot be pruned, trying again", "worker", id, "err", err)
		}
	}
	return nil
}

// look asks Redis for all workers and returns the dead ones. The heartbeats of own show
// that Redis takes writes. At the first look that does not matter yet.
func (s *sweeper) look(ctx context.Context, own []string) (dead []string, err error) {
	if s.doubted.Swap(false) {
		s.watch.restart()
	}
	seen := sight{asked: time.Now()}
	if len(own) > 0 && s.looked {
		if err := s.backend.Beat(ctx, own, s.cfg.intervals()); err != nil {
			return nil, err
		}
	}
	if seen.Observation, err = s.backend.Observe(ctx); err != nil {
		return nil, err
	}
	seen.answered, s.looked = time.Now(), true
	if len(seen.Leftover) > 0 {
		if err := s.backend.ForgetIntervals(ctx, seen.Leftover); err != nil {
			return nil, err
		}
	}
	for _, id := range own {
		delete(seen.Beats, id)
	}
	for _, id := range s.watch.see(seen) {
		s.cfg.Logger.Warn("a worker's heartbeat cannot be read", "worker", id, "heartbeat", seen.Beats[id])
	}
	return s.dead(ctx, s.watch.silent())
}

// dead returns those of the silent workers that are dead.
func (s *sweeper) dead(ctx context.Context, silent []string) ([]string, error) {
	var processes []string
	for _, id := range silent {
		if process, ok := processOf(id); ok && !slices.Contains(processes, process) {
			processes = append(processes, process)
		}
	}
	var open map[string][]string
	known := false
	if len(processes) > 0 {
		var err error
		if open, known, err = s.backend.Connected(ctx, processes); err != nil {
			return nil, err
		}
	}
	return s.watch.dead(silent, func(process string) bool { return len(open[process]) > 0 }, known), nil
}

// doubt makes the watch begin again: Redis did not take a heartbeat.
func (s *sweeper) doubt() { s.doubted.Store(true) }

// repair rewrites the records that Ruby cannot read of Go workers that have missed a
// heartbeat: they may have died before they could do it. A Ruby worker that prunes such a
// worker crashes.
func (s *sweeper) repair(ctx context.Context) {
	checked := map[string]string{}
	for _, id := range s.watch.late() {
		head, repaired, err := s.backend.RepairRecord(ctx, id, s.checked[id])
		if s.isNews(ctx, "check "+id, err) {
			s.cfg.Logger.Error("a worker's record cannot be checked, trying again", "worker", id, "err", err)
		}
		if repaired {
			s.cfg.Logger.Info("rewrote a record that Ruby cannot read", "worker", id)
		}
		checked[id] = head
	}
	s.checked = checked
}

// isNews reports whether an error of an action on a worker is to be logged: once, until
// the action succeeds.
func (s *sweeper) isNews(ctx context.Context, action string, err error) bool {
	switch {
	case err == nil:
		delete(s.told, action)
		return false
	case s.told[action] || ctx.Err() != nil:
		return false
	default:
		s.told[action] = true
		return true
	}
}

// takeOver prunes a worker whose id this process wants, and reports whether it may be
// alive. Its process is dead if it has no connection; that with the token own is of this
// process. If Redis refuses to list connections, or if own is empty, this is unknown: this
// process could not name its connection, so the other one may have had the same problem.
// Then the caller uses another id at once, and does not wait for as long as a sweeper must
// watch a heartbeat.
func (s *sweeper) takeOver(ctx context.Context, id, own string) (alive bool, err error) {
	process, _ := processOf(id)
	open, known, err := s.backend.Connected(ctx, []string{process})
	if err != nil || !known || own == "" {
		return true, err
	}
	if slices.ContainsFunc(open[process], func(token string) bool { return token != own }) {
		return true, nil // a twin that has announced itself since this process looked for one
	}
	beats, _, err := s.backend.Heartbeats(ctx)
	if err != nil {
		return false, err
	}
	_, err = s.prune(ctx, id, beats[id])
	return false, err
}

// finishRecord finishes the job in the record of an id of this process.
func (s *sweeper) finishRecord(ctx context.Context, id string) (found bool, err error) {
	beats, _, err := s.backend.Heartbeats(ctx)
	if err != nil {
		return false, err
	}
	r, err := s.backend.Record(ctx, id)
	if err != nil || len(r.Text) == 0 {
		return false, err
	}
	return s.prune(ctx, id, beats[id])
}

// prune prunes one dead worker. done is false if it has sent a heartbeat since beat, or
// if another process has pruned it.
func (s *sweeper) prune(ctx context.Context, id, beat string) (done bool, err error) {
	opts := resque.PruneOptions{
		Handler: s.handler, Heartbeat: &beat,
		FailureLists: s.cfg.FailureLists, FailureBackends: s.cfg.FailureBackends, Logger: s.cfg.Logger,
	}
	if s.cfg.OnCrash == RequeueCrashed {
		opts.CrashLimit = s.cfg.CrashLimit
	}
	pruned, err := s.client.Prune(ctx, id, opts)
	if errors.Is(err, resque.ErrNoWorker) || errors.Is(err, resque.ErrWorkerAlive) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	fate := "none"
	if pruned.Job != nil {
		fate = "failed"
	}
	switch {
	case pruned.Requeued:
		fate = "requeued"
	case pruned.Retried:
		fate = "retried"
	}
	attrs := []any{"worker", id, "job", fate}
	if pruned.Class != "" {
		attrs = append(attrs, "class", pruned.Class, "queue", pruned.Job.Queue)
	}
	s.cfg.Logger.Warn("pruned a dead worker", attrs...)
	return true, nil
}
