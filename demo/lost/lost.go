// Package lost ends the exports that would be "building" for ever because their
// worker was killed, and those whose file has expired.
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

// Sweeper looks after the exports while Run runs.
type Sweeper struct {
	DB    *database.DB
	Fleet *fleet.Fleet
	Log   *slog.Logger
	After time.Duration // without a change, before Resque is asked; 0 means 12 s

	seen map[int64]sighting
}

// sighting is since when an export has looked the same, by this process's clock:
// the worker's may differ.
type sighting struct {
	version int64
	since   time.Time
}

// Run sweeps until ctx ends.
func (s *Sweeper) Run(ctx context.Context) error {
	s.After = cmp.Or(s.After, 12*time.Second)
	tick := time.NewTicker(min(s.After/4, 2*time.Second))
	defer tick.Stop()
	quiet := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := errors.Join(s.expire(ctx), s.findLost(ctx, time.Now()))
		if err != nil && !quiet && ctx.Err() == nil {
			s.Log.Warn("exports not looked after", "err", err)
		}
		quiet = err != nil // logged once
	}
}

func (s *Sweeper) expire(ctx context.Context) error {
	exports, err := record.Outdated(ctx, s.DB)
	for _, e := range exports {
		_, failed := e.Expire(ctx)
		err = errors.Join(err, failed)
	}
	return err
}

// findLost asks Resque about the exports that have not changed for a while. A run
// reports at least once a second.
func (s *Sweeper) findLost(ctx context.Context, now time.Time) error {
	exports, err := record.UnderWay(ctx, s.DB)
	if err != nil {
		return err
	}
	before := s.seen
	s.seen = make(map[int64]sighting, len(exports))
	var silent []*record.Record
	for _, e := range exports {
		sight := before[e.ID]
		if sight.version != e.Version {
			sight = sighting{e.Version, now}
		}
		s.seen[e.ID] = sight
		if now.Sub(sight.since) >= s.After {
			silent = append(silent, e)
		}
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
		if e.State == record.Building { // a worker that stopped has returned it
			_, err = e.PutBack(ctx)
		}
	case running && worker.Silence < silence-s.After/4:
		// The worker's heartbeat is younger than the export's last change, so it lives.
	case running:
		_, err = e.Lose(ctx, "Its worker was killed, or the machine is gone.")
	case e.State == record.Building:
		_, err = e.Lose(ctx, "Its worker stopped half way, and no other has it in hand.")
	case !jobs.Cut:
		_, err = e.Lose(ctx, "Its job is no longer in the queue.")
	}
	return err
}
