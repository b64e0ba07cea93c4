package worker

import (
	"slices"

	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// effects returns the writes of which outcomes consist.
type effects interface {
	Processed(worker string) []store.Effect
	FailedCount(worker string) []store.Effect
	RecordFailure(queue string, failure []byte, together, byQueue bool) []store.Effect
	Requeue(queue string, payload []byte) []store.Effect
	PutBack(queue string, payload []byte) []store.Effect
}

// finished is the outcome of a job.
type finished struct {
	exchange.Finished
	failure *resque.Failure // for failure backends; nil if there is none
}

// outcomes returns the outcome for each way in which a job can end.
type outcomes struct {
	effects effects
	lists   resque.FailureLists
}

// done is the outcome of a job whose handler returned nil.
//
// Ruby: Resque::Worker#done_working.
func (o outcomes) done(r store.Reserved) *finished {
	return &finished{Finished: exchange.Finish(r, o.effects.Processed(r.Worker))}
}

// failed is the outcome of a job whose handler returned an error. A failure also
// counts as processed, as in Ruby.
//
// Ruby: Resque::Worker#report_failed_job.
func (o outcomes) failed(r store.Reserved, f resque.Failure) *finished {
	return o.failure(r, f, o.effects.FailedCount(r.Worker))
}

// cutOff is the outcome of a job whose child process ended, or for which the worker
// stopped waiting. It does not count as failed, as in Ruby.
//
// Ruby: Resque::Worker#perform_with_fork.
func (o outcomes) cutOff(r store.Reserved, f resque.Failure) *finished {
	return o.failure(r, f, nil)
}

func (o outcomes) failure(r store.Reserved, f resque.Failure, counted []store.Effect) *finished {
	recorded := o.effects.RecordFailure(f.Queue, f.AppendJSON(nil), o.lists.Has(resque.FailuresTogether), o.lists.Has(resque.FailuresByQueue))
	effects := slices.Concat(recorded, counted, o.effects.Processed(r.Worker))
	return &finished{exchange.Finish(r, effects), &f}
}

// returned is the outcome of a job that returns to the front of its queue, because
// it was not begun or the worker stops.
func (o outcomes) returned(r store.Reserved) *finished {
	return &finished{Finished: exchange.Return(o.effects, r)}
}

// putBack is the outcome of a job that is left to workers that know its class. It
// goes to the end of its queue and is not counted.
func (o outcomes) putBack(r store.Reserved) *finished {
	f := &finished{Finished: exchange.Finish(r, o.effects.PutBack(r.Queue, r.Payload))}
	f.PutBack, f.Queue = true, r.Queue
	return f
}
