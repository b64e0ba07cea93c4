package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	rnd "math/rand/v2"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// sweeper settles the jobs of workers that died and removes what is left of
// them, at the start and at every heartbeat's interval. Any number of sweepers
// may run: one of them ends each dead worker.
type sweeper struct {
	backend undertaker
	handler resque.Handler
	cfg     Config
}

// undertaker is what a sweeper needs of the store.
type undertaker interface {
	Heartbeats(ctx context.Context) (beats map[string]string, now time.Time, err error)
	Present(ctx context.Context, process string) (tokens []string, ok bool, err error)
	LockPruning(ctx context.Context, token string, expiry time.Duration) (ok bool, err error)
	UnlockPruning(ctx context.Context, token string) error
	Record(ctx context.Context, worker string) (store.Record, error)
	Prune(ctx context.Context, r store.Record, beat string, effects []store.Effect) (store.Pruned, error)
	Crashes(ctx context.Context, payload []byte) (int, error)
	Crashed(payload []byte, memory time.Duration) []store.Effect
	pushes
	Requeue(queue string, payload []byte) []store.Effect
}

// run sweeps until ctx ends, never touching own. Each wait is of another length,
// so that the sweepers of a fleet spread.
func (s *sweeper) run(ctx context.Context, own []string) {
	every := s.cfg.HeartbeatInterval
	for wait := rnd.N(every/10 + 1); backoff.Sleep(ctx, wait); wait = every/2 + rnd.N(every) {
		if err := s.sweep(ctx, own); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Warn("sweeping dead workers failed; the next sweep tries again", "err", err)
		}
	}
}

// sweep ends the workers that are dead now. The lock is Ruby's, and is taken
// only when there is work: a Ruby worker that boots meanwhile finds it held and
// prunes nothing.
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
	defer func() { _ = s.backend.UnlockPruning(context.WithoutCancel(ctx), token) }() // it expires
	var wrong []error
	slices.Sort(dead)
	for _, id := range dead {
		if _, err := s.prune(ctx, id, beats[id]); err != nil {
			wrong = append(wrong, err) // the others are pruned all the same
		}
	}
	return errors.Join(wrong...)
}

// dead reports whether a worker is dead. A Go worker whose process has a named
// connection open is alive, whatever its heartbeat says: Redis's clock may have
// jumped, or Redis was away. Without the connection it is dead after two heartbeat
// intervals. A worker of another implementation, and a Go worker if Redis does not
// list its clients, is dead after PruneAfter, as in Ruby.
func (s *sweeper) dead(ctx context.Context, id, beat string, now time.Time) (bool, error) {
	heard, err := wire.ParseTime(beat)
	if err != nil {
		s.cfg.Logger.Warn("a worker's heartbeat cannot be read", "worker", id, "err", err)
		return false, nil //nolint:nilerr // it is told, and no reason to stop sweeping
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

// settle ends the worker that has an id which we are to take, unless it seems to
// be alive after all: by its heartbeat, where Redis does not list connections or
// where named says that ours, and so perhaps its, could not be named.
func (s *sweeper) settle(ctx context.Context, id string, named bool) (alive bool, err error) {
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

// settleRecord settles the job in the record of an id that is ours.
func (s *sweeper) settleRecord(ctx context.Context, id string) (found bool, err error) {
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

// prune ends one dead worker: its job by OnCrash, then every trace of it.
func (s *sweeper) prune(ctx context.Context, id, beat string) (done bool, err error) {
	const tries = 5 // its record may change under our eyes: a reserve that was delayed
	for range tries {
		r, err := s.backend.Record(ctx, id)
		if err != nil {
			return false, err
		}
		effects, fate, err := s.fate(ctx, r)
		if err != nil {
			return false, err
		}
		pruned, err := s.backend.Prune(ctx, r, beat, effects)
		if err != nil || pruned == store.NotPruned {
			return false, err
		}
		if pruned == store.PrunedNow {
			attrs := []any{"worker", id, "job", fate}
			if class := s.lostJob(r).Class; class != "" {
				attrs = append(attrs, "class", class, "queue", r.Queue)
			}
			s.cfg.Logger.Warn("pruned a dead worker", attrs...)
			if fate == failed {
				s.tellHooks(ctx, r)
			}
			return true, nil
		}
	}
	return false, fmt.Errorf("pruning worker %q: its record keeps changing", id)
}

// crashMemory is how long a job's crashes are remembered.
const crashMemory = 24 * time.Hour

// fate is what becomes of the job in a dead worker's record.
func (s *sweeper) fate(ctx context.Context, r store.Record) (effects []store.Effect, fate string, err error) {
	if len(r.Text) == 0 {
		return nil, "none", nil
	}
	if s.cfg.OnCrash == RequeueCrashed && r.Queue != "" {
		crashes, err := s.backend.Crashes(ctx, r.Raw)
		if err != nil {
			return nil, "", err
		}
		if crashes+1 < s.cfg.CrashLimit {
			return append(s.backend.Crashed(r.Raw, crashMemory), s.backend.Requeue(r.Queue, r.Raw)...), "requeued", nil
		}
	}
	job := &resque.Payload{Queue: r.Queue, Raw: r.Payload, Worker: r.Worker}
	f := resque.NewFailure(job, s.lostJob(r), time.Now())
	s.cfg.tell(ctx, &f)
	return failureEffects(s.backend, s.cfg.FailureLists, f), failed, nil
}

const failed = "failed"

// lostJob is the error of the job in a dead worker's record. It names the one
// inside a wrapper that the handler knows.
func (s *sweeper) lostJob(r store.Record) *resque.DeadWorkerError {
	lost := &resque.DeadWorkerError{Worker: r.Worker}
	if job, err := resque.ParsePayload(r.Queue, r.Raw); err == nil {
		lost.Class = job.Class
		if inside, err := resque.Unwrap(s.handler, job); err == nil {
			lost.Class = inside.Class
		}
	}
	return lost
}

// tellHooks tells a job's failure hooks of its worker's death.
func (s *sweeper) tellHooks(ctx context.Context, r store.Record) {
	job, err := resque.ParsePayload(r.Queue, r.Raw)
	if err != nil {
		return
	}
	job.Worker = r.Worker
	lost := s.lostJob(r)
	if err := resque.FailureHooks(resque.WithPayload(ctx, job), s.handler, job, lost); err != error(lost) { //nolint:errorlint // the same one means that none went wrong
		s.cfg.Logger.Error("a failure hook went wrong", "class", job.Class, "queue", job.Queue, "worker", r.Worker, "err", err)
	}
}
