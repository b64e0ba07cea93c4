package worker

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// effects returns the writes of which outcomes consist.
type effects interface {
	Processed(worker string) []store.Effect
	FailedCount(worker string) []store.Effect
	pushes
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
	effects := slices.Concat(failureEffects(o.effects, o.lists, f), counted, o.effects.Processed(r.Worker))
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

// pushes returns the writes that record a failure.
type pushes interface {
	Fail(failure []byte) store.Effect
	FailInQueue(queue string, failure []byte) []store.Effect
}

// failureEffects returns the writes that record a failure in Redis.
//
// Ruby: Resque::Failure.create.
func failureEffects(to pushes, lists resque.FailureLists, f resque.Failure) []store.Effect {
	record := f.AppendJSON(nil)
	var effects []store.Effect
	if lists&resque.FailuresTogether != 0 {
		effects = append(effects, to.Fail(record))
	}
	if lists&resque.FailuresByQueue != 0 {
		effects = append(effects, to.FailInQueue(f.Queue, record)...)
	}
	return effects
}

// tellTimeout limits the time that a worker waits for failure backends.
const tellTimeout = 5 * time.Second

// tell calls Save of all failure backends at the same time. It is called before the
// failure is recorded in Redis: if the process ends between the two, backends get
// the failure twice rather than never. tell returns after tellTimeout even if a Save
// ignores its context.
func (c Config) tell(ctx context.Context, f *resque.Failure) {
	if f == nil || len(c.FailureBackends) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTimeout)
	defer cancel()
	saved := make(chan error, len(c.FailureBackends))
	for _, backend := range c.FailureBackends {
		go func() {
			err := errGoexit
			defer func() { saved <- err }()
			err = save(ctx, backend, *f)
		}()
	}
	for range c.FailureBackends {
		select {
		case err := <-saved:
			if err != nil {
				c.Logger.Error("a failure backend failed", "queue", f.Queue, "worker", f.Worker, "err", err)
			}
		case <-ctx.Done():
			c.Logger.Error("a failure backend does not answer", "queue", f.Queue, "worker", f.Worker)
			return
		}
	}
}

// save calls a backend's Save. It returns a panic of Save as an error.
func save(ctx context.Context, backend resque.FailureBackend, f resque.Failure) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &resque.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if err = backend.Save(ctx, f); err != nil {
		err = fmt.Errorf("%T: %w", backend, err)
	}
	return err
}
