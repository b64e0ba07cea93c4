// Package lost marks exports as failed if their job is lost, for example because the
// worker was killed, marks scheduled exports as queued when they are due, and deletes
// files that have expired.
package lost

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/goresque/goresque/demo/database"
	"github.com/goresque/goresque/demo/fleet"
	"github.com/goresque/goresque/demo/record"
)

// Sweeper finds lost exports and expired files while Run runs.
type Sweeper struct {
	DB    *database.DB
	Fleet *fleet.Fleet
	Log   *slog.Logger
	After time.Duration // how long an export may go without a change; 0 means 12 s

	seen  map[int64]sighting
	swept time.Time // the last sweep
}

// sighting is the time since which an export has had the same version, by the clock
// of this process. The worker's clock may differ.
type sighting struct {
	version int64
	since   time.Time
}

// Run sweeps until ctx ends.
func (s *Sweeper) Run(ctx context.Context) error {
	s.After = cmp.Or(s.After, 12*time.Second)
	tick := time.NewTicker(min(s.After/4, time.Second))
	defer tick.Stop()
	quiet := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := s.sweep(ctx, time.Now())
		if err != nil && !quiet && ctx.Err() == nil {
			s.Log.Warn("sweeping exports failed", "err", err)
		}
		quiet = err != nil // log only the first of consecutive errors
	}
}

// sweep sweeps once. It begins to watch the exports again if the last sweep is too long ago: the
// machine stood still, and the workers may not have reported either.
func (s *Sweeper) sweep(ctx context.Context, now time.Time) error {
	if now.Sub(s.swept) > s.After/2 {
		s.seen = nil
	}
	s.swept = now
	return errors.Join(s.expire(ctx), s.queueDue(ctx, now), s.findLost(ctx, now))
}

func (s *Sweeper) expire(ctx context.Context) error {
	exports, err := record.Outdated(ctx, s.DB)
	for _, e := range exports {
		_, failed := e.Expire(ctx)
		err = errors.Join(err, failed)
	}
	return err
}

// queueDue marks scheduled exports that are due as queued, unless no scheduler has
// moved the job yet. If a worker has already taken the job, its run marks the export.
func (s *Sweeper) queueDue(ctx context.Context, now time.Time) error {
	exports, err := record.UnderWay(ctx, s.DB)
	for _, e := range exports {
		if !e.DueBy(now) {
			continue
		}
		delayed, failed := s.Fleet.Delayed(ctx, e.ID)
		if failed == nil && !delayed {
			_, failed = e.Queue(ctx)
		}
		err = errors.Join(err, failed)
	}
	return err
}

// findLost looks up the jobs of exports that have not changed for s.After. A run
// reports at least once a second.
func (s *Sweeper) findLost(ctx context.Context, now time.Time) error {
	exports, err := record.UnderWay(ctx, s.DB)
	if err != nil {
		return err
	}
	before := s.seen
	s.seen = make(map[int64]sighting, len(exports))
	var silent []*record.Record // without those whose job is delayed
	for _, e := range exports {
		sight := before[e.ID]
		if sight.version != e.Version {
			sight = sighting{e.Version, now}
		}
		s.seen[e.ID] = sight
		if now.Sub(sight.since) < s.After {
			continue
		}
		if e.State == record.Scheduled {
			delayed, err := s.Fleet.Delayed(ctx, e.ID) // before Jobs: a scheduler may move the job
			if err != nil {
				return err
			}
			if delayed {
				s.seen[e.ID] = sighting{e.Version, now} // look again after s.After
				continue
			}
		}
		silent = append(silent, e)
	}
	if len(silent) == 0 {
		return nil
	}
	jobs, err := s.Fleet.Jobs(ctx)
	if err != nil {
		return err
	}
	for _, e := range silent {
		err = errors.Join(err, s.judge(ctx, e, jobs, now.Sub(s.seen[e.ID].since)))
	}
	return err
}

func (s *Sweeper) judge(ctx context.Context, e *record.Record, jobs fleet.Jobs, silence time.Duration) (err error) {
	worker, running := jobs.Running[e.ID]
	switch {
	case jobs.Waiting[e.ID]:
		if e.State == record.Building { // its worker has stopped and returned the job
			_, err = e.PutBack(ctx)
		}
	case running && worker.Silence < silence-s.After/4:
		// The worker sent a heartbeat after the export's last change, so it is alive.
	case running:
		_, err = e.Lose(ctx, "Its worker was killed, or the machine is gone.")
	case e.State == record.Building:
		_, err = e.Lose(ctx, "Its worker stopped before it was done, and no other worker has the job.")
	case e.State == record.Scheduled && !e.DueBy(time.Now()):
		_, err = e.Lose(ctx, "Its job was removed before it was due.")
	case !jobs.Cut:
		_, err = e.Lose(ctx, "Its job is no longer in the queue.")
	}
	return err
}
