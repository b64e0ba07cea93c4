package worker

import (
	"context"
	"slices"

	"github.com/goresque/goresque/internal/store"
)

// seat is a slot as the exchange sees it: it has a job in hand, or one that lies
// ready, or it waits for the next call, or it is idle.
type seat struct {
	worker  string
	outcome *store.Outcome // how its last job ended; nil once Redis has it
	returns bool           // which puts the job back to the front of its queue
	rests   bool           // wants no job before the next look
	refusal *patience      // set while Redis refuses the outcome
	err     error          // why it does
}

// readyJob is one that is in its seat's record, and that nobody has begun.
type readyJob struct {
	seat *seat
	job  store.Reserved
}

// parked is a goroutine that waits for something to do.
type parked struct{ woken chan struct{} }

// turn hands in what the last job of this goroutine left behind and returns its
// next job, which may be any slot's; ok is false when the goroutine is to end.
// Without a last job it brings the slot of worker along. It waits until there is
// a job or ctx, which says that jobs are taken, ends.
func (x *exchange) turn(ctx context.Context, worker string, last *ending) (job store.Reserved, ok bool) {
	if last != nil {
		x.cfg.tell(ctx, last.failure)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.arrive(worker, last)
	x.searching++
	defer x.leave()
	for {
		stopping := ctx.Err() != nil
		if stopping {
			x.handBack()
		}
		switch {
		case len(x.ready) > 0:
			job, x.ready = x.ready[0].job, x.ready[1:]
			return job, true
		case !x.busy && (len(x.arrived) > 0 || x.pending() && !stopping):
			x.lead(ctx)
		case len(x.refused) > 0:
			x.nurse(ctx)
		case stopping:
			return job, false
		case x.closed > 0:
			x.closed--
			return job, false
		default:
			x.park(ctx)
		}
	}
}

// arrive has a seat take part in the next call. mu is held.
func (x *exchange) arrive(worker string, last *ending) {
	if last != nil {
		worker = last.Worker
	}
	s := x.seats[worker]
	if s == nil {
		s = &seat{worker: worker}
		x.seats[worker] = s
	}
	switch {
	case last != nil:
		s.outcome, s.returns, s.rests = &last.Outcome, last.returns, x.enoughPutBack(last)
		x.arrived = append(x.arrived, s)
	case x.held && !x.cfg.UntilEmpty:
		x.idle = append(x.idle, s)
	default:
		x.arrived = append(x.arrived, s)
	}
}

// handBack has jobs that nobody has begun go back, because the worker stops. The
// last one taken goes back to the front first. mu is held.
func (x *exchange) handBack() {
	for _, r := range slices.Backward(x.ready) {
		r.seat.outcome, r.seat.returns = &x.outcomes.unstarted(r.job).Outcome, true
		x.arrived = append(x.arrived, r.seat)
	}
	x.ready = nil
}

// pending tells whether there is something for the next call. mu is held.
func (x *exchange) pending() bool {
	return len(x.arrived) > 0 || x.look && len(x.idle) > 0 && !x.held
}

// lead makes the next call. mu is held, but not during the call.
func (x *exchange) lead(ctx context.Context) {
	x.busy, x.moment.idle = true, false
	batch := x.arrived
	x.arrived = nil
	if x.look && !x.held {
		batch = append(batch, x.idle...)
		x.idle, x.look = nil, false
	}
	x.searching--
	x.mu.Unlock()
	x.call(ctx, batch)
	x.mu.Lock()
	x.searching++
	x.busy = false
	x.still()
}

// nurse waits a little before outcomes that Redis refused, being full or read
// only, are handed in again. Their jobs are still in their records meanwhile, so
// that this goroutine is not needed for others. mu is held, but not while it waits.
func (x *exchange) nurse(ctx context.Context) {
	seats := x.refused
	x.refused = nil
	x.leave()
	x.mu.Unlock()
	again := seats[0].refusal.again(ctx)
	x.mu.Lock()
	x.searching++
	for _, s := range seats {
		if again {
			x.arrived = append(x.arrived, s)
		} else {
			x.drop(s, s.err)
		}
	}
}

// park waits until there is something to do. mu is held, but not while it waits.
func (x *exchange) park(ctx context.Context) {
	p := &parked{make(chan struct{}, 1)}
	x.parked = append(x.parked, p)
	x.leave()
	x.mu.Unlock()
	select {
	case <-p.woken:
		x.mu.Lock()
		return
	case <-ctx.Done():
	}
	x.mu.Lock()
	if at := slices.Index(x.parked, p); at >= 0 { // else it was counted by who woke it
		x.parked = slices.Delete(x.parked, at, at+1)
		x.searching++
	}
}

// leave has a goroutine stop searching: it has a job, or nothing to do. mu is held.
func (x *exchange) leave() {
	x.searching--
	x.help()
	x.still()
}

// help wakes a goroutine where there is something to do and nobody about to see
// it. mu is held.
func (x *exchange) help() {
	if x.searching == 0 && (len(x.ready) > 0 || !x.busy && x.pending()) {
		x.rouse()
	}
}

// rouse wakes the goroutine that was parked last. mu is held.
func (x *exchange) rouse() {
	if last := len(x.parked) - 1; last >= 0 {
		p := x.parked[last]
		x.parked = x.parked[:last]
		x.searching++
		p.woken <- struct{}{}
	}
}
