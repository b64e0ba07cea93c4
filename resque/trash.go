package resque

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// Trashed is what one call removed from a list of failures or a queue, and what
// Client.Restore can bring back.
type Trashed struct {
	Token   string // one of BulkProgress.Trash
	List    string // the list of failures; empty for a queue
	Queue   string // the queue; empty for a list
	IsQueue bool   // a queue's name may be empty
	Entries int64
	Removed time.Time
	Left    time.Duration // until it is gone for good
}

// Trash returns what can be restored, the latest first.
func (c *Client) Trash(ctx context.Context) ([]Trashed, error) {
	kept, err := c.store.Trashes(ctx)
	all := make([]Trashed, len(kept))
	for i, k := range kept {
		all[i] = Trashed{Token: k.Token, Entries: k.Entries, Removed: k.Removed, Left: k.Left}
		name, isQueue := store.TrashedList(k.Token)
		if all[i].IsQueue = isQueue; isQueue {
			all[i].Queue = name
		} else {
			all[i].List = name
		}
	}
	return all, err
}

// TrimTrash drops the oldest of what can be restored, for good, while all of it
// together has more entries than limit. What the last call removed stays.
func (c *Client) TrimTrash(ctx context.Context, limit int64) error {
	return c.store.TrimTrash(ctx, limit)
}

// Restore brings back what was removed to trash, one of BulkProgress.Trash, and returns
// how many entries that were. They come to the front, in the order they had:
// failures as the oldest ones, jobs as the next to be taken.
func (c *Client) Restore(ctx context.Context, trash string) (int64, error) {
	queue, ok := store.TrashedList(trash)
	if !ok {
		return c.Failures().Restore(ctx, trash)
	}
	var restored int64
	for {
		n, err := c.store.RestoreJobs(ctx, queue, trash, queuePart)
		restored += n
		switch {
		case err != nil:
			return restored, err
		case restored == 0:
			return 0, fmt.Errorf("%w: %q", ErrNoTrash, trash)
		case n < queuePart:
			return restored, c.store.ForgetTrash(ctx, trash)
		}
	}
}

// newQueueTrash names a new trash for a queue's jobs; one that keeps nothing has no
// name.
func newQueueTrash(queue string, keep time.Duration) store.Trash {
	if keep <= 0 {
		return store.Trash{}
	}
	return store.Trash{Token: rand.Text() + ":" + store.QueueTrash + queue, Keep: keep}
}
