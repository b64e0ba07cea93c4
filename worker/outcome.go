package worker

import (
	"slices"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// effects are the writes that an outcome can be made of.
type effects interface {
	Processed(worker string) []store.Effect
	FailedCount(worker string) []store.Effect
	pushes
	Requeue(queue string, payload []byte) []store.Effect
	PutBack(queue string, payload []byte) []store.Effect
}

// ending is how a job ended, as data: what Redis is to be told of it.
type ending struct {
	store.Outcome
	putBack bool            // it was not performed at all, but left to others
	queue   string          // where it was put back
	returns bool            // it goes back to the front of its queue
	failure *resque.Failure // what the backends outside Redis are to be told
}

// outcomes says what each way for a job to end leaves behind.
type outcomes struct {
	effects effects
	lists   resque.FailureLists
}

// done is the end of a job whose handler returned nil.
//
// Ruby: Resque::Worker#done_working.
func (o outcomes) done(r store.Reserved) *ending {
	return end(r, o.effects.Processed(r.Worker))
}

// failed is the end of a job whose handler returned an error. Ruby counts a
// failure as processed, too.
//
// Ruby: Resque::Worker#report_failed_job.
func (o outcomes) failed(r store.Reserved, f resque.Failure) *ending {
	return o.failure(r, f, o.effects.FailedCount(r.Worker))
}

// cutOff is the end of a job that was cut off, with its process or by the end of
// its worker's patience. Ruby does not count it as failed.
//
// Ruby: Resque::Worker#perform_with_fork.
func (o outcomes) cutOff(r store.Reserved, f resque.Failure) *ending {
	return o.failure(r, f, nil)
}

func (o outcomes) failure(r store.Reserved, f resque.Failure, counted []store.Effect) *ending {
	e := end(r, slices.Concat(failureEffects(o.effects, o.lists, f), counted, o.effects.Processed(r.Worker)))
	e.failure = &f
	return e
}

// unstarted is the end of a job that was reserved but not begun, or that the
// worker's stop has cut off: it goes back to where it was, and nothing is
// counted.
func (o outcomes) unstarted(r store.Reserved) *ending {
	e := end(r, o.effects.Requeue(r.Queue, r.Payload))
	e.returns = true
	return e
}

// putBack is the end of a job that is left to workers who know its class: it
// goes to the end of its queue, and nothing is counted.
func (o outcomes) putBack(r store.Reserved) *ending {
	e := end(r, o.effects.PutBack(r.Queue, r.Payload))
	e.putBack, e.queue = true, r.Queue
	return e
}

func end(r store.Reserved, effects []store.Effect) *ending {
	return &ending{Outcome: store.Outcome{
		Worker: r.Worker, Guard: r.Guard, Effects: effects, Long: len(r.Payload) >= store.LongRecord,
	}}
}
