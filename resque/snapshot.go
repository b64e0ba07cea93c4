package resque

import (
	"context"
	"time"
)

// Snapshot is what Resque is doing at one moment.
type Snapshot struct {
	Queues   []QueueState      // by name
	Failures []FailureListSize // "failed" first, then the lists of queues

	// Workers are the registered ones, and those that have nothing left but a
	// heartbeat. When they started and their counters are left out: WorkersByID
	// reads them.
	Workers []RegisteredWorker

	Processed int64         // jobs that have ended, those that failed included
	Failed    int64         // the counter, not the lengths of the lists
	Paused    bool          // all workers are
	Now       time.Time     // by Redis's clock
	RoundTrip time.Duration // of the first of the two

	// Damage says which keys count as empty because they are of another type,
	// beside those of single queues and lists of failures.
	Damage []error
}

// QueueState is a queue in a Snapshot.
type QueueState struct {
	Queue  string
	Size   int64
	Paused bool

	// Next is the job that is taken next, nil if there is none. One without a
	// class is unreadable, and has only its payload.
	Next *Payload

	// Err says why the queue counts as empty: its key is of another type.
	Err error
}

// FailureListSize is how many failures a list has.
type FailureListSize struct {
	List string
	Size int64
	Err  error // why the list counts as empty: its key is of another type
}

// Snapshot reads what there is, in two round trips however many queues and
// workers there are. A key of another type counts as empty, and an Err or Damage
// says so; whatever else Redis refuses, such as a right that is missing, is the
// error.
func (c *Client) Snapshot(ctx context.Context) (Snapshot, error) {
	read, err := c.store.Snapshot(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	snap := Snapshot{Processed: read.Processed, Failed: read.Failed, Paused: read.Paused, Now: read.Now, RoundTrip: read.RoundTrip, Damage: read.Damage}
	for _, q := range read.Queues {
		state := QueueState{Queue: q.Name, Size: q.Size, Paused: q.Paused, Err: q.Err}
		if q.Head != nil {
			state.Next, _ = readWaiting(q.Name, q.Head) // it has no class then
		}
		snap.Queues = append(snap.Queues, state)
	}
	for _, f := range read.Failures {
		snap.Failures = append(snap.Failures, FailureListSize{List: f.Name, Size: f.Size, Err: f.Err})
	}
	for _, w := range read.Workers {
		snap.Workers = append(snap.Workers, registeredWorker(w, read.Now))
	}
	return snap, nil
}
