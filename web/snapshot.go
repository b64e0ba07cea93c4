package web

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/goresque/goresque/resque"
)

// moment is a snapshot with the values that every page computes from it. They are
// computed once per snapshot.
type moment struct {
	resque.Snapshot
	served  map[string]int // number of workers per queue
	summary *summary       // shared: must not be modified
}

// snapshots holds the last snapshot. Only one goroutine at a time reads a new one.
type snapshots struct {
	reading chan struct{} // has a value while a goroutine reads

	mu    sync.Mutex
	last  moment
	taken time.Time // zero if there is none
	stale int       // increases when the snapshots read so far must not be used
}

// fresh returns the last snapshot if it is not older than age.
func (s *snapshots) fresh(age time.Duration) (last moment, stale int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.stale, time.Since(s.taken) < age
}

// keep keeps a snapshot, unless there was a change while it was read.
func (s *snapshots) keep(m moment, stale int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stale == stale {
		s.last, s.taken = m, time.Now()
	}
}

// snapshot returns the state of Resque, at most one second old. A caller that comes
// while a snapshot is being read waits for that one, until its context ends.
func (h *Dashboard) snapshot(ctx context.Context) (moment, error) {
	return h.snapshotWithin(ctx, h.budgets.snapshot)
}

// snapshotWithin is snapshot with another greatest age.
func (h *Dashboard) snapshotWithin(ctx context.Context, age time.Duration) (moment, error) {
	s := &h.snapshots
	if last, _, ok := s.fresh(age); ok {
		return last, nil
	}
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return moment{}, fmt.Errorf("waiting for the state of Resque: %w", ctx.Err())
	}
	last, stale, ok := s.fresh(age)
	if ok {
		return last, nil
	}
	snap, err := h.client.Snapshot(ctx)
	if err != nil {
		return moment{}, err
	}
	h.rates.sample(snap)
	served := snap.Serving()
	m := moment{snap, served, h.summarize(snap, served)}
	s.keep(m, stale)
	return m, nil
}

// forget discards the snapshot after a change, so that the next page shows the
// change.
func (h *Dashboard) forget() {
	h.failing.forget()
	h.snapshots.mu.Lock()
	defer h.snapshots.mu.Unlock()
	h.snapshots.taken = time.Time{}
	h.snapshots.stale++
}

// summary is the strip of numbers on every page.
type summary struct {
	Pending, Failed, Processed int64
	Workers, Working, Stale    int
	Paused                     bool
	PerSecond                  string
	OldestAt                   time.Time // when the longest waiting job was enqueued; zero if unknown
	RoundTrip                  time.Duration
	Unserved                   []string      // queues with jobs but without a worker
	Damage                     []string      // keys that cannot be read, and why
	Delayed                    bool          // there are delayed jobs
	Schedules                  bool          // there are recurring jobs
	Batches                    bool          // there are batches
	Statuses                   bool          // jobs have statuses
	Limits                     bool          // queues have limits
	Locks                      bool          // there may be locks
	Overdue                    time.Duration // how long the first delayed job has been due
}

// IsLate reports whether delayed jobs are not moved to their queues in time.
func (s *summary) IsLate() bool { return s.Overdue > overdueNote }

func (h *Dashboard) summarize(snap resque.Snapshot, served map[string]int) *summary {
	s := &summary{Processed: snap.Processed, Paused: snap.Paused, RoundTrip: snap.RoundTrip, PerSecond: h.rates.now(), Delayed: snap.Delayed > 0, Schedules: snap.Schedules, Batches: snap.Batches, Statuses: snap.Statuses, Limits: slices.ContainsFunc(snap.Queues, isLimited), Locks: h.locked.Load() || h.client.Locks().Known(), Overdue: snap.Late()}
	for _, err := range snap.Damage {
		s.Damage = append(s.Damage, err.Error())
	}
	for _, f := range snap.Failures {
		s.Failed += f.Size
		if f.Err != nil {
			s.Damage = append(s.Damage, f.Err.Error())
		}
	}
	for _, w := range snap.Workers {
		if h.isStale(w) {
			s.Stale++
		}
		if w.Registered {
			s.Workers++
			s.Working += count(w.Working)
		}
	}
	for _, q := range snap.Queues {
		s.Pending += q.Size
		if q.Err != nil {
			s.Damage = append(s.Damage, q.Err.Error())
		}
		if at, ok := waitingSince(q.Next); ok && (s.OldestAt.IsZero() || at.Before(s.OldestAt)) {
			s.OldestAt = at
		}
		if q.Size > 0 && served[q.Queue] == 0 {
			s.Unserved = append(s.Unserved, q.Queue)
		}
	}
	return s
}

// isAway reports whether an error came from Redis or from the connection to it.
func isAway(err error) bool {
	_, ok := resque.Explain(err)
	return ok
}

// RoundTripText returns how long Redis took to answer.
func (s *summary) RoundTripText() string {
	return fmt.Sprintf("%.1f ms", float64(s.RoundTrip.Microseconds())/1000)
}

// IsSlow reports whether that was slow.
func (s *summary) IsSlow() bool { return s.RoundTrip > slowRoundTrip }

// slowRoundTrip is the round trip time above which Redis is called slow.
const slowRoundTrip = 100 * time.Millisecond
