package resque

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// ErrNoWorker is wrapped by the error about a worker that is not there.
var ErrNoWorker = errors.New("resque: no such worker")

// RemoveWorker unregisters a worker that is gone; a job in its hand fails as
// Resque::DirtyExit. A worker that lives registers again, but the end of the job
// that it has in hand is not recorded.
//
// Ruby: Resque.remove_worker.
func (c *Client) RemoveWorker(ctx context.Context, id string) error {
	const tries = 5 // it may be at work
	for range tries {
		beats, _, err := c.store.Heartbeats(ctx)
		if err != nil {
			return err
		}
		record, err := c.store.Record(ctx, id)
		if err != nil {
			return err
		}
		job := &Reserved{Queue: record.Queue, Payload: record.Payload, Worker: id}
		failure := NewFailure(job, &DirtyExitError{Message: "Job still being processed"}, time.Now()).AppendJSON(nil)
		pruned, err := c.store.Prune(ctx, record, beats[id], []store.Effect{c.store.Fail(failure)})
		switch {
		case err != nil:
			return err
		case pruned == store.PrunedNow:
			return nil
		case pruned == store.NotPruned && beats[id] == "":
			return fmt.Errorf("%w: %q", ErrNoWorker, id)
		}
	}
	return fmt.Errorf("resque: worker %q keeps changing: it lives; stop it instead", id)
}
