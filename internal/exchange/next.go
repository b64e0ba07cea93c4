package exchange

import (
	"context"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// Finished is a job that has ended, with the outcome to write to Redis.
type Finished struct {
	store.Outcome
	Returned bool   // the job goes back to the front of its queue
	PutBack  bool   // the job was not performed and goes to the end of its queue
	Queue    string // the queue to which it was put back

	// Again, if not nil, returns the outcome to write instead if a value is not the one
	// that this one expects. Recorded, if not nil, is called when the outcome is written.
	// It must not block, because the slots wait for it. Again and the function that
	// Recorded returns, if it is not nil, are called by a goroutine that is in Next,
	// without a lock, and may block.
	Again    func(expected []store.Expectation, values []store.Value) store.Outcome
	Recorded func() (after func())
}

// requeuer returns the effects that put a job back at the front of its queue.
type requeuer interface {
	Requeue(queue string, payload []byte) []store.Effect
}

// Return returns the end of a job that goes back to the front of its queue, because it
// was not begun or because the worker stops. It is not counted.
func Return(to requeuer, job store.Reserved) Finished {
	f := Finish(job, to.Requeue(job.Queue, job.Payload))
	f.Returned = true
	return f
}

// Finish returns the end of a job with the given effects.
func Finish(job store.Reserved, effects []store.Effect) Finished {
	return Finished{Outcome: store.Outcome{
		Worker: job.Worker, Queue: job.Queue, Guard: job.Guard, Effects: effects, Long: len(job.Payload) >= store.LongRecord,
	}}
}

// slot is the exchange's state of a slot. Its job is running or ready, or it waits for
// the next call, or it is idle. During a call for the slot, its fields belong to the
// goroutine that makes the call; otherwise Exchange.mu guards them.
type slot struct {
	worker   string
	outcome  *store.Outcome // of its last job; nil when it is written to Redis
	last     *Finished      // has the functions of the outcome; nil if the job was not begun
	returned bool           // the outcome returns the job to its queue
	rests    bool           // takes no job in the next call
	refusal  *retry         // set while Redis refuses the outcome
	err      error          // why Redis refuses it
	changed  []store.Value  // the values that the outcome expected to be different
	given    time.Duration  // when a goroutine got its last job; see pace
}

// decide returns a function that chooses the slot's outcome again.
func (s *slot) decide() func() {
	return func() {
		o := s.last.Again(s.outcome.Expect, s.changed)
		s.outcome, s.changed = &o, nil
	}
}

// task is something to do without a lock, in a goroutine that is in Next. If slot is not
// nil, the task chooses its outcome, which is written after it.
type task struct {
	slot *slot
	do   func()
}

// setReturnedLocked sets the outcome of a slot that returns a job which was not begun.
func (x *Exchange) setReturnedLocked(s *slot, job store.Reserved) {
	var f Finished
	if x.cfg.Admitter != nil {
		f = x.cfg.Admitter.Return(job)
	} else {
		f = Return(x.backend, job)
	}
	s.outcome, s.last, s.returned = &f.Outcome, nil, true
}

// readyJob is a job that is in the record of its slot and was not begun.
type readyJob struct {
	slot *slot
	job  store.Reserved
}

// waiter is a goroutine that waits for something to do.
type waiter struct{ woken chan struct{} }

// Next finishes the last job of the calling goroutine and returns its next one, which
// may be of any slot. If last is nil, the slot that is registered as worker is added.
// Next waits until there is a job. ok is false if there will be no more: the goroutine
// must end. When ctx ends, no more jobs are taken.
func (x *Exchange) Next(ctx context.Context, worker string, last *Finished) (job store.Reserved, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.arriveLocked(worker, last)
	x.searching++
	defer func() {
		if ok {
			x.beginLocked()
		} else {
			x.leaveLocked()
		}
	}()
	for {
		stopping := ctx.Err() != nil
		if stopping {
			x.returnReadyLocked()
		}
		switch {
		case len(x.ready) > 0:
			x.ready[0].slot.given = x.pace.now()
			job, x.ready = x.ready[0].job, x.ready[1:]
			return job, true
		case len(x.tasks) > 0:
			x.doLocked()
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

// arriveLocked adds a slot to the next call.
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
		x.pace.note(x.pace.now() - s.given)
		s.outcome, s.last, s.returned, s.rests = &last.Outcome, last, last.Returned, x.enoughPutBackLocked(last)
		x.arrived = append(x.arrived, s)
	case x.held && !x.cfg.UntilEmpty:
		x.idle = append(x.idle, s)
	default:
		x.arrived = append(x.arrived, s)
	}
}

// returnReadyLocked returns the jobs that were not begun, because the worker stops. The
// one that was taken last is pushed to the front first, so that they keep their order.
func (x *Exchange) returnReadyLocked() {
	for _, r := range slices.Backward(x.ready) {
		x.setReturnedLocked(r.slot, r.job)
		x.arrived = append(x.arrived, r.slot)
	}
	x.ready = nil
}

// pendingLocked reports whether there is a reason for a call.
func (x *Exchange) pendingLocked() bool {
	return len(x.arrived) > 0 || x.look && len(x.idle) > 0 && !x.held
}

// callLocked makes the next call. It unlocks mu during the call.
func (x *Exchange) callLocked(ctx context.Context) {
	x.calling, x.state.idle = true, false
	batch := x.arrived
	x.arrived = nil
	if x.look && !x.held {
		some := len(x.idle)
		if x.few > 0 {
			some = min(some, x.few)
		}
		batch = append(batch, x.idle[:some]...)
		x.idle, x.look, x.few = x.idle[some:], false, 0
	}
	x.searching--
	x.mu.Unlock()
	x.call(ctx, batch)
	x.mu.Lock()
	x.searching++
	x.calling = x.admitting // so that these jobs and those that end meanwhile share the next call
	x.noteIdleLocked()
}

// doLocked does the next task. It unlocks mu during the task.
func (x *Exchange) doLocked() {
	t := x.tasks[0]
	x.tasks = x.tasks[1:]
	x.doing++
	x.leaveLocked()
	x.mu.Unlock()
	t.do()
	x.mu.Lock()
	x.doing--
	x.searching++
	if t.slot != nil {
		x.arrived = append(x.arrived, t.slot)
	}
}

// retryLocked waits and then adds the outcomes that Redis has refused to the next call.
// Redis may be full or read only. It unlocks mu while it waits.
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

// waitLocked waits until there is something to do. It unlocks mu while it waits.
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
	if at := slices.Index(x.waiting, w); at >= 0 { // otherwise wakeOneLocked has counted it
		x.waiting = slices.Delete(x.waiting, at, at+1)
		x.searching++
	}
}

// leaveLocked notes that a goroutine no longer searches: it has a job, or nothing to
// do.
func (x *Exchange) leaveLocked() {
	x.searching--
	x.helpLocked()
	x.noteIdleLocked()
}

// helpLocked wakes a goroutine if there is something to do and no other goroutine is
// about to notice it.
func (x *Exchange) helpLocked() {
	if x.needsHelpLocked() {
		x.wakeOneLocked()
	}
}

// needsHelpLocked reports whether there is something to do and no goroutine is about to
// notice it.
func (x *Exchange) needsHelpLocked() bool {
	return x.searching == 0 && (len(x.ready)+len(x.tasks) > 0 || !x.calling && x.pendingLocked())
}

// wakeOneLocked wakes the goroutine that has waited for the shortest time.
func (x *Exchange) wakeOneLocked() {
	if last := len(x.waiting) - 1; last >= 0 {
		w := x.waiting[last]
		x.waiting = x.waiting[:last]
		x.searching++
		w.woken <- struct{}{}
	}
}
