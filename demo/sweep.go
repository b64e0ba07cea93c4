package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/goresque/goresque/resque"
)

// sweeper ends what nobody else would: exports whose time is over, and those whose
// worker was killed, which would be "building" for ever.
type sweeper struct {
	db    *database
	jobs  *resque.Client
	log   *slog.Logger
	after time.Duration // without a change: then Resque is asked
	seen  map[int64]sighting
}

// sighting is since when an export has looked the same, by our clock: the
// worker's may be another.
type sighting struct {
	version int64
	since   time.Time
}

// run sweeps until ctx ends.
func (s *sweeper) run(ctx context.Context) error {
	tick := time.NewTicker(min(s.after/4, 2*time.Second))
	defer tick.Stop()
	quiet := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := errors.Join(s.expire(ctx), s.findLost(ctx))
		if err != nil && !quiet && ctx.Err() == nil {
			s.log.Warn("exports not looked after", "err", err)
		}
		quiet = err != nil // it is said once
	}
}

func (s *sweeper) expire(ctx context.Context) error {
	exports, err := s.db.outdated(ctx)
	for _, e := range exports {
		_, failed := e.expire(ctx)
		err = errors.Join(err, failed)
	}
	return err
}

// findLost asks Resque about the exports that have not changed for a while. A run
// reports at least once a second.
func (s *sweeper) findLost(ctx context.Context) error {
	exports, err := s.db.underWay(ctx)
	if err != nil {
		return err
	}
	now, before := time.Now(), s.seen
	s.seen = make(map[int64]sighting, len(exports))
	var silent []*Export
	for _, e := range exports {
		sight := before[e.ID]
		if sight.version != e.Version {
			sight = sighting{e.Version, now}
		}
		s.seen[e.ID] = sight
		if now.Sub(sight.since) >= s.after {
			silent = append(silent, e)
		}
	}
	if len(silent) == 0 {
		return nil
	}
	jobs, err := s.lookUp(ctx)
	if err != nil {
		return err
	}
	for _, e := range silent {
		err = errors.Join(err, s.judge(ctx, e, jobs, now.Sub(s.seen[e.ID].since)))
	}
	return err
}

func (s *sweeper) judge(ctx context.Context, e *Export, jobs whereabouts, silence time.Duration) (err error) {
	worker, inHand := jobs.inHand[e.ID]
	switch {
	case jobs.waiting[e.ID]:
		if e.State == Building { // a worker that stopped has given it back
			_, err = e.putBack(ctx)
		}
	case inHand && worker.Silence < silence-s.after/4:
		// It has been heard since the export last changed, so it lives.
	case inHand:
		_, err = e.lose(ctx, "Its worker was killed, or the machine is gone.")
	case e.State == Building:
		_, err = e.lose(ctx, "Its worker stopped half way, and no other has it in hand.")
	case !jobs.cut:
		_, err = e.lose(ctx, "Its job is no longer in the queue.")
	}
	return err
}

// whereabouts are the exports' jobs as Redis has them.
type whereabouts struct {
	waiting map[int64]bool
	inHand  map[int64]resque.RegisteredWorker
	cut     bool // more wait than were read
}

func (s *sweeper) lookUp(ctx context.Context) (whereabouts, error) {
	const most = 10_000
	found := whereabouts{waiting: map[int64]bool{}, inHand: map[int64]resque.RegisteredWorker{}}
	mux := newMux(s.db)
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	// The queue first: what is taken from it meanwhile is in hand after that.
	read := 0
	for job, err := range s.jobs.Peek(ctx, Exporter.Queue(), 0, most) {
		if bad := (*resque.UnreadableError)(nil); err != nil && !errors.As(err, &bad) {
			return found, fmt.Errorf("looking for exports' jobs: %w", err)
		}
		read++
		if id, ok := exportID(mux, job); ok {
			found.waiting[id] = true
		}
	}
	found.cut = read == most
	workers, err := s.jobs.Working(ctx)
	if err != nil {
		return found, fmt.Errorf("looking for exports' workers: %w", err)
	}
	for _, w := range workers {
		if id, ok := exportID(mux, w.Job); ok {
			found.inHand[id] = w
		}
	}
	return found, nil
}

// exportID is the export that a job, Resque's or Rails', is for.
func exportID(jobs *resque.Mux, job *resque.Reserved) (id int64, ok bool) {
	inside, err := jobs.Unwrap(job)
	if err != nil || (inside.Class != Exporter.Class() && inside.Class != ExporterJob.Class()) {
		return 0, false
	}
	return id, inside.Bind(&id) == nil
}
