package resque

import (
	"context"
	"time"
)

// Snapshot is the state of a namespace at one moment.
type Snapshot struct {
	Queues   []QueueState      // sorted by name
	Failures []FailureListSize // FailedList first, then the lists of queues

	// Workers are the registered workers and those that have only a heartbeat left.
	// The fields for the start of the worker and its counters are not set; use
	// [Client.WorkersByID] to read them.
	Workers []RegisteredWorker

	Processed int64         // finished jobs, including failed ones
	Failed    int64         // the counter of failed jobs, not the number of failures
	Paused    bool          // whether all workers are paused: see Client.Pause
	Delayed   int64         // seconds that have delayed jobs; see Delayed.Count for their jobs
	NextDue   time.Time     // the first of these seconds; zero if there are none
	Schedules bool          // there are recurring entries, which package scheduler reads
	Batches   bool          // there are batches, which package batch reads
	Statuses  bool          // jobs have statuses, which package status reads
	Now       time.Time     // by Redis's clock
	RoundTrip time.Duration // duration of the first of the two round trips

	// Damage holds an error for each key that has the wrong type and counts as empty.
	// For the key of a queue or of a list of failures, the error is in its Err instead.
	Damage []error
}

// Late returns how long the first delayed job that is due has been waiting for a
// scheduler, or 0 if none is due.
func (s Snapshot) Late() time.Duration {
	if s.NextDue.IsZero() {
		return 0
	}
	return max(s.Now.Sub(s.NextDue), 0)
}

// QueueState is the state of a queue in a [Snapshot].
type QueueState struct {
	Queue  string
	Size   int64
	Paused bool

	// Limit is the limit of the queue: see package limit. It is nil if the queue has none.
	Limit *QueueLimit

	// Next is the next job that a worker takes, or nil if the queue is empty. If its
	// payload cannot be read, Class is empty and only Queue and Raw are set. NextSize
	// is the length of the payload. If that is more than the length of Raw, only the
	// beginning was read because many payloads are large; only Queue, Class and Raw
	// are then set, or Next is nil.
	Next     *Payload
	NextSize int64

	// Err is not nil if the key of the queue has the wrong type. The queue then
	// counts as empty.
	Err error
}

// QueueLimit is the limit of a queue in a [Snapshot]. A number is 0 if there is no such
// limit.
type QueueLimit struct {
	Running     int64 // jobs that count
	Concurrency int64 // how many jobs may run at once
	Rate        int64 // how many jobs may start in Per
	Per         time.Duration
}

// FailureListSize is the number of failures in a list.
type FailureListSize struct {
	List string
	Size int64
	Err  error // not nil if the key of the list has the wrong type and counts as empty
}

// Snapshot returns the state of the namespace. It takes two round trips for any number
// of queues and workers, and more only if the next jobs of queues are large. A key of the
// wrong type counts as empty, and an Err field or Damage reports it. Snapshot returns an
// error for anything else that Redis refuses, such as a missing permission.
func (c *Client) Snapshot(ctx context.Context) (Snapshot, error) {
	read, err := c.store.Snapshot(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	snap := Snapshot{Processed: read.Processed, Failed: read.Failed, Paused: read.Paused, Delayed: read.Delayed, NextDue: read.NextDue, Schedules: read.Schedules, Batches: read.Batches, Statuses: read.Statuses, Now: read.Now, RoundTrip: read.RoundTrip, Damage: read.Damage}
	for _, q := range read.Queues {
		state := QueueState{Queue: q.Name, Size: q.Size, Paused: q.Paused, Err: q.Err}
		if l := q.Limit; l != nil {
			state.Limit = &QueueLimit{Running: q.Running, Concurrency: l.Concurrency, Rate: l.Rate, Per: time.Duration(l.Per) * time.Millisecond}
		}
		if q.Head.Size > 0 {
			state.Next, state.NextSize = readBeginning(q.Name, q.Head.Raw, q.Head.Size), q.Head.Size
		}
		snap.Queues = append(snap.Queues, state)
	}
	for _, f := range read.Failures {
		snap.Failures = append(snap.Failures, FailureListSize{List: f.Name, Size: f.Size, Err: f.Err})
	}
	for _, w := range read.Workers {
		worker := registeredWorker(w, read.Now)
		if worker.Go {
			worker.Order = WorkerOrder(read.Orders[w.ID])
		}
		snap.Workers = append(snap.Workers, worker)
	}
	return snap, nil
}
