package worker

import (
	"context"
	"crypto/rand"
	"errors"
	rnd "math/rand/v2"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// sweeper prunes dead workers: it finishes their jobs and removes their keys, at the
// start and about once per heartbeat interval. Several sweepers may run at the same time;
// each dead worker is pruned once.
type sweeper struct {
	client  *resque.Client
	backend pruner
	handler resque.Handler
	cfg     Config
}

// pruner has the methods of the store that a sweeper uses.
type pruner interface {
	Heartbeats(ctx context.Context) (beats map[string]string, now time.Time, err error)
	Present(ctx context.Context, process string) (tokens []string, ok bool, err error)
	LockPruning(ctx context.Context, token string, expiry time.Duration) (ok bool, err error)
	UnlockPruning(ctx context.Context, token string) error
	Record(ctx context.Context, worker string) (store.Record, error)
}

// run sweeps until ctx ends, and never prunes own. The waits have jitter, so that the
// sweepers of many workers do not run at the same time.
func (s *sweeper) run(ctx context.Context, own []string) {
	every := s.cfg.HeartbeatInterval
	for wait := rnd.N(every/10 + 1); backoff.Sleep(ctx, wait); wait = every/2 + rnd.N(every) {
		if err := s.sweep(ctx, own); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Warn("sweeping dead workers failed; the next sweep tries again", "err", err)
		}
	}
}

// sweep prunes the workers that are dead now. It takes Ruby's lock only if there are any,
// because a Ruby worker that boots while the lock is held prunes nothing.
//
// Ruby: Resque::Worker#prune_dead_workers.
func (s *sweeper) sweep(ctx context.Context, own []string) error {
	beats, now, err := s.backend.Heartbeats(ctx)
	if err != nil {
		return err
	}
	var dead []string
	for id, beat := range beats {
		if slices.Contains(own, id) {
			continue
		}
		gone, err := s.dead(ctx, id, beat, now)
		if err != nil {
			return err
		}
		if gone {
			dead = append(dead, id)
		}
	}
	if len(dead) == 0 {
		return nil
	}
	token := rand.Text()
	if ok, err := s.backend.LockPruning(ctx, token, 10*time.Second); err != nil || !ok {
		return err
	}
	defer func() { _ = s.backend.UnlockPruning(context.WithoutCancel(ctx), token) }() // on error the lock expires
	var wrong []error
	slices.Sort(dead)
	for _, id := range dead {
		if _, err := s.prune(ctx, id, beats[id]); err != nil {
			wrong = append(wrong, err) // and prune the others
		}
	}
	return errors.Join(wrong...)
}

// dead reports whether a worker is dead. A Go worker whose process has a named connection
// open is alive, even if its heartbeat is old: Redis's clock may have jumped, or Redis
// was unreachable. Without the connection it is dead after two heartbeat intervals. A
// worker of another implementation, and a Go worker if Redis refuses to list its clients,
// is dead after PruneAfter, as in Ruby.
func (s *sweeper) dead(ctx context.Context, id, beat string, now time.Time) (bool, error) {
	heard, err := wire.ParseTime(beat)
	if err != nil {
		s.cfg.Logger.Warn("a worker's heartbeat cannot be read", "worker", id, "err", err)
		return false, nil //nolint:nilerr // it is logged, and the other workers are swept
	}
	silent := now.Sub(heard.Time)
	if process, ok := processOf(id); ok && silent > min(2*s.cfg.HeartbeatInterval, s.cfg.PruneAfter) {
		tokens, known, err := s.backend.Present(ctx, process)
		if err != nil || known {
			return err == nil && len(tokens) == 0, err
		}
	}
	return silent > s.cfg.PruneAfter, nil
}

// takeOver prunes a worker whose id this process wants, unless it may be alive. Its
// heartbeat decides that if Redis refuses to list its clients, or if named is false: this
// process could not name its connection, so the other one may have had the same problem.
func (s *sweeper) takeOver(ctx context.Context, id string, named bool) (alive bool, err error) {
	beats, now, err := s.backend.Heartbeats(ctx)
	if err != nil {
		return false, err
	}
	beat := beats[id]
	process, _ := processOf(id)
	if _, known, err := s.backend.Present(ctx, process); err != nil || !known || !named {
		heard, bad := wire.ParseTime(beat)
		if err != nil || (bad == nil && now.Sub(heard.Time) <= 2*s.cfg.HeartbeatInterval) {
			return true, err
		}
	}
	_, err = s.prune(ctx, id, beat)
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
	if pruned.Requeued {
		fate = "requeued"
	}
	attrs := []any{"worker", id, "job", fate}
	if pruned.Class != "" {
		attrs = append(attrs, "class", pruned.Class, "queue", pruned.Job.Queue)
	}
	s.cfg.Logger.Warn("pruned a dead worker", attrs...)
	return true, nil
}
