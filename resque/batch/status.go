package batch

import (
	"context"
	"fmt"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// Status is the state of a batch.
type Status struct {
	ID          string
	Description string

	Total   int64 // members
	Pending int64 // members that have not ended
	Failed  int64 // members that have failed when they ended last, without the abandoned ones
	Skipped int64 // members that were not performed because the batch is canceled

	// Abandoned is how many members cannot succeed any more: their failures, or they
	// themselves, were removed.
	Abandoned int64

	// The times at which something happened, on Redis's clock. They are zero if it has
	// not happened. Completed and Succeeded are when the callbacks were enqueued, or when
	// that would have been.
	Created, Sealed, Canceled, Completed, Succeeded time.Time

	// Complete and Success are the callbacks; nil if there are none.
	Complete, Success *resque.Payload

	// Fault is why the batch cannot be counted or its callbacks cannot be enqueued. It is
	// empty if there is no fault. [Batch.Seal] tries again to enqueue callbacks.
	Fault string
}

// Ended returns the number of members that have ended.
func (s Status) Ended() int64 { return s.Total - s.Pending }

// State is a summary of a [Status].
type State string

// The states of a batch.
const (
	StateOpen      State = "open"      // it is not sealed
	StateRunning   State = "running"   // it is sealed, and members have not ended
	StateFailed    State = "failed"    // all members have ended, and some have failed
	StateSucceeded State = "succeeded" // all members have succeeded
	StateCanceled  State = "canceled"
)

// State returns a summary of s.
func (s Status) State() State {
	switch {
	case !s.Canceled.IsZero():
		return StateCanceled
	case !s.Succeeded.IsZero():
		return StateSucceeded
	case !s.Completed.IsZero():
		return StateFailed
	case !s.Sealed.IsZero():
		return StateRunning
	}
	return StateOpen
}

// Get returns the state of a batch. ok is false if it does not exist, or has expired.
func Get(ctx context.Context, client *resque.Client, id string) (s Status, ok bool, err error) {
	if !policy.ValidBatchID(id) {
		return Status{}, false, fmt.Errorf("batch: %q is not the id of a batch", id)
	}
	states, err := store.WithoutScripts(client.Redis()).ReadBatches(ctx, []string{id})
	if err != nil {
		return Status{}, false, wrap(err)
	}
	return status(states[0]), !states[0].Created.IsZero() || states[0].Fault != "", nil
}

// List returns at most limit batches from position first on, and how many there are. First
// come those that are not complete, the latest first, and then the others, the one that
// was completed last first. It takes two round trips.
func List(ctx context.Context, client *resque.Client, first, limit int64) (batches []Status, total int64, err error) {
	from := store.WithoutScripts(client.Redis())
	ids, total, err := from.BatchIDs(ctx, max(first, 0), limit)
	if err != nil {
		return nil, 0, wrap(err)
	}
	states, err := from.ReadBatches(ctx, ids)
	if err != nil {
		return nil, 0, wrap(err)
	}
	for _, s := range states {
		if !s.Created.IsZero() || s.Fault != "" { // or it has expired meanwhile
			batches = append(batches, status(s))
		}
	}
	return batches, total, nil
}

func status(b store.BatchState) Status {
	return Status{
		ID: b.ID, Description: b.Description, Fault: b.Fault,
		Total: b.Total, Pending: b.Pending, Failed: b.Failed - b.Abandoned, Skipped: b.Skipped, Abandoned: b.Abandoned,
		Created: b.Created, Sealed: b.Sealed, Canceled: b.Canceled, Completed: b.Completed, Succeeded: b.Succeeded,
		Complete: callback(b.Complete), Success: callback(b.Success),
	}
}

// callback returns the job of a callback. What cannot be read has no class.
func callback(c store.Callback) *resque.Payload {
	if c.Payload == nil {
		return nil
	}
	job, err := resque.ParsePayload(c.Queue, c.Payload)
	if err != nil {
		return &resque.Payload{Queue: c.Queue, Raw: c.Payload}
	}
	return job
}
