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
	Fail(failure []byte) store.Effect
	Requeue(queue string, payload []byte) []store.Effect
}

// outcomes says what each way for a job to end leaves behind.
type outcomes struct{ effects effects }

// done is the outcome of a job whose handler returned nil.
//
// Ruby: Resque::Worker#done_working.
func (o outcomes) done(r store.Reserved) *store.Outcome {
	return outcome(r, o.effects.Processed(r.Worker))
}

// failed is the outcome of a job whose handler returned an error. Ruby counts a
// failure as processed, too.
//
// Ruby: Resque::Worker#report_failed_job.
func (o outcomes) failed(r store.Reserved, f resque.Failure) *store.Outcome {
	return outcome(r, slices.Concat(
		[]store.Effect{o.effects.Fail(f.AppendJSON(nil))},
		o.effects.FailedCount(r.Worker),
		o.effects.Processed(r.Worker),
	))
}

// unstarted is the outcome of a job that was reserved but not begun: it goes
// back to where it was, and nothing is counted.
func (o outcomes) unstarted(r store.Reserved) *store.Outcome {
	return outcome(r, o.effects.Requeue(r.Queue, r.Payload))
}

func outcome(r store.Reserved, effects []store.Effect) *store.Outcome {
	return &store.Outcome{Worker: r.Worker, Guard: r.Guard, Effects: effects}
}
