package exchange

import (
	"context"
	"slices"

	"github.com/goresque/goresque/internal/store"
)

// Finished is how a job ended, as data: what Redis is told of it.
type Finished struct {
	store.Outcome
	Returned bool   // the job goes back to the front of its queue
	PutBack  bool   // the job was not performed: it goes to the end of its queue
	Queue    string // that it was put back to
}

// requeuer makes the effects of a job that goes back to the front of its queue.
type requeuer interface {
	Requeue(queue string, payload []byte) []store.Effect
}

// Return is the end of a job that was reserved and not begun, or that the worker's
// stop has ended: it goes back to the front of its queue, and nothing is counted.
func Return(to requeuer, job store.Reserved) Finished {
	f := Finish(job, to.Requeue(job.Queue, job.Payload))
	f.Returned = true
	return f
}

// Finish is the end of a job that leaves effects behind.
func Finish(job store.Reserved, effects []store.Effect) Finished {
	return Finished{Outcome: store.Outcome{
		Worker: job.Worker, Guard: job.Guard, Effects: effects, Long: len(job.Payload) >= store.LongRecord,
	}}
}

// slot is a slot as the exchange sees it: its job is running or lies ready, or it
// waits for the next call, or it is idle. While a call is made for it, it belongs
// to the goroutine that makes the call, else to Exchange.mu.
type slot struct {
	worker   string
	outcome  *store.Outcome // how its last job ended; nil once Redis has it
	returned bool           // the outcome returns the job to its queue
	rests    bool           // wants no job before the next look
	refusal  *patience      // set while Redis refuses the outcome
	err      error          // why Redis refuses it
}

// setReturned makes the slot's outcome the return of a job that was not begun.
func (s *slot) setReturned(to requeuer, job store.Reserved) {
	f := Return(to, job)
	s.outcome, s.returned = &f.Outcome, true
}

// readyJob is a job in its slot's record that was not begun.
type readyJob struct {
	slot *slot
	job  store.Reserved
}

// waiter is a goroutine that waits for something to do.
type waiter struct{ woken chan struct{} }

// Next finishes the last job of this goroutine and returns its next one, which may
// be any slot's. ok is false when the goroutine is to end. Without a last job it
// brings in the slot that is registered as worker. It waits until there is a job,
// or until ctx ends, which stops the taking of jobs.
func (x *Exchange) Next(ctx context.Context, worker string, last *Finished) (job store.Reserved, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.arriveLocked(worker, last)
	x.searching++
	defer x.leaveLocked()
	for {
		stopping := ctx.Err() != nil
		if stopping {
			x.returnReadyLocked()
		}
		switch {
		case len(x.ready) > 0:
			job, x.ready = x.ready[0].job, x.ready[1:]
			return job, true
		case !x.calling && (len(x.arrived) > 0 || x.pendingLocked() && !stopping):
			x.callLocked(ctx)
		case len(x.refused) > 0:
			x.retryLocked(ctx)
		case stopping:
			return job, false
		case x.leaving > 0:
			x.leaving--
			return job, false
		default:
			x.waitLocked(ctx)
		}
	}
}

// arriveLocked makes a slot take part in the next call.
func (x *Exchange) arriveLocked(worker string, last *Finished) {
	if last != nil {
		worker = last.Worker
	}
	s := x.slots[worker]
	if s == nil {
		s = &slot{worker: worker}
		x.slots[worker] = s
	}
	switch {
	case last != nil:
		s.outcome, s.returned, s.rests = &last.Outcome, last.Returned, x.enoughPutBackLocked(last)
		x.arrived = append(x.arrived, s)
	case x.held && !x.cfg.UntilEmpty:
		x.idle = append(x.idle, s)
	default:
		x.arrived = append(x.arrived, s)
	}
}

// returnReadyLocked returns the jobs that were not begun, because the worker
// stops. The one that was taken last goes back to the front first.
func (x *Exchange) returnReadyLocked() {
	for _, r := range slices.Backward(x.ready) {
		r.slot.setReturned(x.backend, r.job)
		x.arrived = append(x.arrived, r.slot)
	}
	x.ready = nil
}

// pendingLocked reports whether there is something for the next call.
func (x *Exchange) pendingLocked() bool {
	return len(x.arrived) > 0 || x.look && len(x.idle) > 0 && !x.held
}

// callLocked makes the next call. It unlocks mu meanwhile.
func (x *Exchange) callLocked(ctx context.Context) {
	x.calling, x.state.idle = true, false
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
	x.calling = false
	x.noteIdleLocked()
}

// retryLocked waits a little, then outcomes that Redis refused, being full or read
// only, take part in a call again. It unlocks mu meanwhile. Their jobs are still
// in their records, so that no other goroutine waits for this one.
func (x *Exchange) retryLocked(ctx context.Context) {
	slots := x.refused
	x.refused = nil
	x.leaveLocked()
	x.mu.Unlock()
	again := slots[0].refusal.again(ctx)
	x.mu.Lock()
	x.searching++
	for _, s := range slots {
		if again {
			x.arrived = append(x.arrived, s)
		} else {
			x.lost.add(s, s.err)
		}
	}
}

// waitLocked waits until there is something to do. It unlocks mu meanwhile.
func (x *Exchange) waitLocked(ctx context.Context) {
	w := &waiter{make(chan struct{}, 1)}
	x.waiting = append(x.waiting, w)
	x.leaveLocked()
	x.mu.Unlock()
	select {
	case <-w.woken:
		x.mu.Lock()
		return
	case <-ctx.Done():
	}
	x.mu.Lock()
	if at := slices.Index(x.waiting, w); at >= 0 { // else wakeOneLocked has counted it
		x.waiting = slices.Delete(x.waiting, at, at+1)
		x.searching++
	}
}

// leaveLocked ends a goroutine's search: it has a job, or nothing to do.
func (x *Exchange) leaveLocked() {
	x.searching--
	x.helpLocked()
	x.noteIdleLocked()
}

// helpLocked wakes a goroutine if there is something to do that no other is about
// to see.
func (x *Exchange) helpLocked() {
	if x.searching == 0 && (len(x.ready) > 0 || !x.calling && x.pendingLocked()) {
		x.wakeOneLocked()
	}
}

// wakeOneLocked wakes the goroutine that began to wait last.
func (x *Exchange) wakeOneLocked() {
	if last := len(x.waiting) - 1; last >= 0 {
		w := x.waiting[last]
		x.waiting = x.waiting[:last]
		x.searching++
		w.woken <- struct{}{}
	}
}
