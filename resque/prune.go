package resque

import (
	"context"
	"fmt"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// PruneWorker removes what is left of a worker whose heartbeat is older than limit,
// and fails the job in its record as Resque::PruneDeadWorkerDirtyExit. pruned is
// false if the worker was heard since, or is not known.
//
// Ruby: Resque::Worker#prune_dead_workers, for one.
func (c *Client) PruneWorker(ctx context.Context, id string, limit time.Duration) (pruned bool, err error) {
	const tries = 5 // its record may change meanwhile
	for range tries {
		beats, now, err := c.store.Heartbeats(ctx)
		if err != nil {
			return false, err
		}
		heard := knownTime(beats[id])
		if heard.IsZero() || now.Sub(heard) <= limit {
			return false, nil
		}
		record, err := c.store.Record(ctx, id)
		if err != nil {
			return false, err
		}
		done, err := c.store.Prune(ctx, record, beats[id], c.lost(record))
		if err != nil || done != store.RecordChanged {
			return done == store.PrunedNow, err
		}
	}
	return false, fmt.Errorf("resque: pruning worker %q: its record keeps changing", id)
}

// lost fails the job that a dead worker has in its record.
func (c *Client) lost(r store.Record) []store.Effect {
	if len(r.Text) == 0 {
		return nil
	}
	dead := &DeadWorkerError{Worker: r.Worker}
	if job, err := ParsePayload(r.Queue, r.Raw); err == nil {
		dead.Class = job.Class
	}
	job := &Payload{Queue: r.Queue, Raw: r.Payload, Worker: r.Worker}
	return []store.Effect{c.store.Fail(NewFailure(job, dead, time.Now()).AppendJSON(nil))}
}
