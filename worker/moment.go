package worker

import (
	"context"
	"slices"
	"time"
)

// moment is what an exchange is like between two calls, for those who wait for
// jobs on its behalf.
type moment struct {
	idle   bool      // slots are free, and no call is in flight
	looks  uint64    // calls that looked for jobs
	found  uint64    // jobs they found
	names  []string  // where the last one looked
	paused bool      // Redis said so
	quiet  time.Time // until then no look but the poll's: the last ones were put back
}

// await returns the first moment that is as wanted; false when ctx ended first.
func (x *exchange) await(ctx context.Context, wanted func(moment) bool) (moment, bool) {
	for {
		m, changed := x.now()
		if wanted(m) {
			return m, true
		}
		select {
		case <-ctx.Done():
			return m, false
		case <-changed:
		}
	}
}

func (x *exchange) now() (moment, <-chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.changed == nil {
		x.changed = make(chan struct{})
	}
	return x.moment, x.changed
}

// announce tells those who await that the moment has changed. They are spared
// the changes while all are busy. mu is held.
func (x *exchange) announce() {
	if x.changed != nil && x.moment.idle {
		close(x.changed)
		x.changed = nil
	}
}

// looked notes a call that looked for jobs in names and found some, or none.
func (x *exchange) looked(names []string, found int) {
	x.log.Debug("looked for jobs", "queues", len(names), "found", found)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.moment.looks++
	x.moment.found += uint64(found) //nolint:gosec // a count
	x.moment.names = names
	x.pulse.beat()
	if found > 0 {
		x.worked = true
		x.interval.found()
	}
}

// notePaused notes that Redis said whether to pause.
func (x *exchange) notePaused(paused bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.moment.paused = paused
	x.pulse.beat()
}

// enoughPutBack counts jobs that are put back in a row. After some of them, with
// nothing performed in between, the queues may hold nothing else: the slot then
// rests until the next poll, so that it does not turn them over and over. Queues
// that they were put back to come last until another job is performed, or those
// after them would never have their turn. mu is held.
func (x *exchange) enoughPutBack(last *ending) bool {
	const some = 32
	if !last.putBack {
		x.putBack, x.behind = 0, nil
		return false
	}
	others := slices.DeleteFunc(slices.Clone(x.behind), func(q string) bool { return q == last.queue })
	x.behind = append(others, last.queue)
	x.putBack++
	if x.putBack < some {
		return false
	}
	x.putBack, x.behind = 0, nil
	x.moment.quiet = time.Now().Add(x.cfg.PollInterval)
	return true
}

// lastOnes puts those of the queues last that jobs were just put back to, the
// latest behind the others.
func (x *exchange) lastOnes(queues []string) []string {
	x.mu.Lock()
	behind := x.behind
	x.mu.Unlock()
	if len(behind) == 0 {
		return queues
	}
	ordered := slices.DeleteFunc(slices.Clone(queues), func(q string) bool { return slices.Contains(behind, q) })
	for _, q := range behind {
		if slices.Contains(queues, q) { // patterns may match it no longer
			ordered = append(ordered, q)
		}
	}
	return ordered
}
