package exchange

import (
	"context"
	"slices"
	"time"
)

// state is the state of an exchange between two calls. The goroutines of Run that wait
// for jobs use it.
type state struct {
	idle   bool      // slots are free, and no call is being made
	looks  uint64    // number of calls that looked for jobs
	found  uint64    // number of jobs that they found
	queues []string  // the queues of the last look
	paused bool      // all workers are paused in Redis
	quiet  time.Time // until then only polls look, because the last jobs were put back
}

// await waits for a state for which wanted is true and returns it. It returns false if
// ctx ends first.
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

// announceLocked wakes the goroutines in await, unless all slots are busy.
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

// notePaused notes whether all workers are paused in Redis, and logs a change.
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

// putBacks counts jobs in a row that were put back to their queues.
type putBacks struct {
	count  int
	queues []string // the latest last
}

// enoughPutBackLocked counts jobs that are put back in a row. It returns true after 32,
// when the queues may hold no other jobs: the slot then takes no job until the next
// poll, so that it does not put back the same jobs again and again. Queues to which
// jobs were put back come last until another job is performed. Otherwise the queues
// behind them would never be looked at.
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

// lastQueues returns the queues to which jobs were put back, the latest last.
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
		if slices.Contains(queues, q) { // a pattern may no longer match it
			ordered = append(ordered, q)
		}
	}
	return ordered
}

// interval is the wait between two looks of idle slots. It is shortest after a job and
// grows with each look that finds no job.
//
// Ruby: Resque::Worker#work with min_interval, max_interval, backoff_interval.
type interval struct {
	now, least, most, backoff time.Duration
}

// next returns the wait before the next look, if the last one found no job.
func (i *interval) next() time.Duration {
	i.now = min(i.now+i.backoff, i.most)
	return i.now
}

// found resets the interval, because there was a job.
func (i *interval) found() { i.now = i.least }
