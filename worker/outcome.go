package worker

import (
	"context"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// finished is the outcome of a job.
type finished struct {
	exchange.Finished
	failure *resque.Failure       // for failure backends; nil if there is none
	before  func(context.Context) // is called before the outcome is written, unless it is nil
}

// outcomes returns the outcome for each way in which a job can end without policies.
type outcomes struct {
	store *store.Store
	lists resque.FailureLists
}

// now returns about the time on Redis's clock.
func (o outcomes) now() time.Time {
	ctx, cancel := context.WithTimeout(context.Background(), clockTimeout)
	defer cancel()
	return o.store.About(ctx)
}

// written returns what is written for an ending that policies have decided.
func (o outcomes) written(e *policy.Ending, queue string) []store.Effect {
	return e.Written(o.store, queue, policy.Lists{Together: o.lists.Has(resque.FailuresTogether), ByQueue: o.lists.Has(resque.FailuresByQueue)})
}

// failed is the outcome of a job whose handler returned an error. A failure also
// counts as processed, as in Ruby.
//
// Ruby: Resque::Worker#report_failed_job.
func (o outcomes) failed(r store.Reserved, f resque.Failure) *finished {
	return o.failure(r, f, o.store.FailedCount(r.Worker))
}

// cutOff is the outcome of a job whose child process ended, or for which the worker
// stopped waiting. It does not count as failed, as in Ruby.
//
// Ruby: Resque::Worker#perform_with_fork.
func (o outcomes) cutOff(r store.Reserved, f resque.Failure) *finished {
	return o.failure(r, f, nil)
}

func (o outcomes) failure(r store.Reserved, f resque.Failure, counted []store.Effect) *finished {
	recorded := o.store.RecordFailure(f.Queue, f.AppendJSON(nil), o.lists.Has(resque.FailuresTogether), o.lists.Has(resque.FailuresByQueue))
	effects := slices.Concat(recorded, counted, o.store.Processed(r.Worker))
	return &finished{Finished: exchange.Finish(r, effects), failure: &f}
}

// returned is the outcome of a job that returns to the front of its queue, because
// it was not begun or the worker stops.
func (o outcomes) returned(r store.Reserved) *finished {
	return &finished{Finished: exchange.Return(o.store, r)}
}

// putBack is the outcome of a job that is left to workers that know its class. It
// goes to the end of its queue and is not counted.
func (o outcomes) putBack(r store.Reserved) *finished {
	f := &finished{Finished: exchange.Finish(r, o.store.PutBack(r.Queue, r.Payload))}
	f.PutBack, f.Queue = true, r.Queue
	return f
}
