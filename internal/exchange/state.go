package exchange

import (
	"context"
	"slices"
	"time"
)

// state is what an exchange is like between two calls, for those that wait for
// jobs on its behalf.
type state struct {
	idle   bool      // slots are free, and no call is being made
	looks  uint64    // calls that looked for jobs
	found  uint64    // jobs that they found
	queues []string  // where the last one looked
	paused bool      // Redis says so
	quiet  time.Time // until then only polls look: the last jobs were put back
}

// await returns the first state that is as wanted; false if ctx ends first.
func (x *Exchange) await(ctx context.Context, wanted func(state) bool) (state, bool) {
	for {
		now, changed := x.now()
		if wanted(now) {
			return now, true
		}
		select {
		case <-ctx.Done():
			return now, false
		case <-changed:
		}
	}
}

func (x *Exchange) now() (state, <-chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.changed == nil {
		x.changed = make(chan struct{})
	}
	return x.state, x.changed
}

// announceLocked wakes those that await another state. It does not while all slots
// are busy.
func (x *Exchange) announceLocked() {
	if x.changed != nil && x.state.idle {
		close(x.changed)
		x.changed = nil
	}
}

// noteLook notes a call that looked for jobs in queues.
func (x *Exchange) noteLook(queues []string, found int) {
	x.cfg.Logger.Debug("looked for jobs", "queues", len(queues), "found", found)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.state.looks++
	x.state.found += uint64(found) //nolint:gosec // a count
	x.state.queues = queues
	x.cfg.Changed()
	if found > 0 {
		x.worked = true
		x.interval.found()
	}
}

// notePaused notes whether Redis says that no jobs are taken, and logs a change.
func (x *Exchange) notePaused(paused bool) {
	x.mu.Lock()
	changed := x.state.paused != paused
	x.state.paused = paused
	x.mu.Unlock()
	if !changed {
		return
	}
	x.cfg.Changed()
	if paused {
		x.cfg.Logger.Info("paused: pause-all-workers or pause:all is set")
	} else {
		x.cfg.Logger.Info("resumed")
	}
}

// putBacks are the jobs in a row that were put back to their queues.
type putBacks struct {
	count  int
	queues []string // the latest last
}

// enoughPutBackLocked counts jobs that are put back in a row. After 32 of them the
// queues may hold nothing else: the slot then rests until the next poll, so that
// it does not move them round and round. Queues that jobs were put back to come
// last until another job is performed, or those after them would never have their
// turn.
func (x *Exchange) enoughPutBackLocked(last *Finished) bool {
	const enough = 32
	if !last.PutBack {
		x.putBacks = putBacks{}
		return false
	}
	others := slices.DeleteFunc(slices.Clone(x.putBacks.queues), func(q string) bool { return q == last.Queue })
	x.putBacks.queues = append(others, last.Queue)
	x.putBacks.count++
	if x.putBacks.count < enough {
		return false
	}
	x.putBacks = putBacks{}
	x.state.quiet = time.Now().Add(x.cfg.PollInterval)
	return true
}

// lastQueues are the queues that jobs were just put back to, the latest last.
func (x *Exchange) lastQueues() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.putBacks.queues
}

// reorder returns the queues with those in last at the end.
func reorder(queues, last []string) []string {
	if len(last) == 0 {
		return queues
	}
	ordered := slices.DeleteFunc(slices.Clone(queues), func(q string) bool { return slices.Contains(last, q) })
	for _, q := range last {
		if slices.Contains(queues, q) { // patterns may match it no longer
			ordered = append(ordered, q)
		}
	}
	return ordered
}

// interval is the wait between two looks of idle slots: the least after a job, and
// longer after each look that finds nothing.
//
// Ruby: Resque::Worker#work with min_interval, max_interval, backoff_interval.
type interval struct {
	now, least, most, backoff time.Duration
}

// next returns the wait before the next look; the last look found nothing.
func (i *interval) next() time.Duration {
	i.now = min(i.now+i.backoff, i.most)
	return i.now
}

// found begins again: there was a job.
func (i *interval) found() { i.now = i.least }
