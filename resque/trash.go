package resque

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// Trashed is a set of entries that one call removed from a list of failures, a queue or
// the delayed jobs, or keys that package doctor removed, and that [Client.Restore] can put back.
type Trashed struct {
	Token     string        // as in BulkProgress.Trash
	List      string        // the list of failures, or "" for other entries
	Queue     string        // the queue, or "" for other entries
	IsQueue   bool          // true for a queue, whose name may also be ""
	IsDelayed bool          // true for delayed jobs
	IsKeys    bool          // true for keys that package doctor removed, such as locks without a job
	Entries   int64         // number of entries
	Removed   time.Time     // when they were removed
	Left      time.Duration // how long they can still be restored
}

// Trash returns the removed entries that can be restored, the latest call first.
func (c *Client) Trash(ctx context.Context) ([]Trashed, error) {
	kept, err := c.store.Trashes(ctx)
	all := make([]Trashed, len(kept))
	for i, k := range kept {
		all[i] = Trashed{Token: k.Token, Entries: k.Entries, Removed: k.Removed, Left: k.Left}
		switch name, isQueue := store.TrashedList(k.Token); {
		case isQueue:
			all[i].Queue, all[i].IsQueue = name, true
		case name == store.DelayedTrash:
			all[i].IsDelayed = true
		case name == store.KeyTrash:
			all[i].IsKeys = true
		default:
			all[i].List = name
		}
	}
	return all, err
}

// TrimTrash deletes the oldest sets of removed entries until at most limit entries can
// be restored. It never deletes the latest set.
func (c *Client) TrimTrash(ctx context.Context, limit int64) error {
	return c.store.TrimTrash(ctx, limit)
}

// Restore puts removed entries back and returns how many it restored. trash is one of
// [BulkProgress].Trash. The entries return to the front of their list or queue in
// their previous order: failures become the oldest, jobs the next that workers take.
// Delayed jobs return to their times. Keys return unless they exist again, or would have
// expired since. The error wraps ErrNoTrash if nothing is left. A client with
// [Client.WithJobs] takes the locks of the jobs again; if equal jobs have them, the error
// wraps an [*EqualJobsError], and the other jobs are restored.
func (c *Client) Restore(ctx context.Context, trash string) (int64, error) {
	queue, isQueue := store.TrashedList(trash)
	switch {
	case queue == store.DelayedTrash && !isQueue:
		return c.Delayed().Restore(ctx, trash)
	case queue == store.KeyTrash && !isQueue:
		return c.restoreKeys(ctx, trash)
	case !isQueue:
		return c.Failures().Restore(ctx, trash)
	}
	if locks := c.locks(); locks.known() {
		return restoreLocked(ctx, lockedRestore{locks: locks, token: trash, queue: queue})
	}
	return restore(ctx, c.store, trash, func() (restored, left int64, err error) {
		return c.store.RestoreJobs(ctx, queue, trash, maxPart)
	})
}

// restoreLocked restores jobs with their locks, and counts the members of batches among
// them.
func restoreLocked(ctx context.Context, r lockedRestore) (restored int64, err error) {
	r.locks.derive = false // it is not known which keys the jobs had
	back, err := trashed(ctx, r.locks.store, r.token)
	if err != nil {
		return 0, err
	}
	counted := members{}
	restored, err = r.run(ctx, func(entry []byte) {
		if back != nil {
			counted.addTrashed(entry)
		}
	})
	return restored, errors.Join(err, counted.count(ctx, r.locks.store, store.MemberRestored))
}

// restoreKeys puts keys back and returns how many.
func (c *Client) restoreKeys(ctx context.Context, trash string) (restored int64, err error) {
	for all := int64(0); ; {
		taken, back, err := c.store.RestoreKeys(ctx, trash, actsAtOnce)
		restored, all = restored+back, all+taken
		switch {
		case err != nil:
			return restored, wrapped(err)
		case all == 0:
			return 0, fmt.Errorf("%w: %q", ErrNoTrash, trash)
		case taken < actsAtOnce:
			return restored, c.store.ForgetTrash(ctx, trash)
		}
	}
}

// restore calls move, which moves some entries out of a trash, until the trash is empty.
func restore(ctx context.Context, s *store.Store, trash string, move func() (restored, left int64, err error)) (restored int64, err error) {
	back, err := trashed(ctx, s, trash)
	if err != nil {
		return 0, err
	}
	defer func() {
		if restored > 0 {
			err = errors.Join(err, back.count(ctx, s, store.MemberRestored))
		}
	}()
	for {
		n, left, err := move()
		restored += n
		switch {
		case err != nil:
			return restored, err
		case restored == 0:
			return 0, fmt.Errorf("%w: %q", ErrNoTrash, trash)
		case left == 0:
			return restored, s.ForgetTrash(ctx, trash)
		}
	}
}

// newQueueTrash returns a new trash for jobs of a queue. Its token is empty if nothing
// is kept.
func newQueueTrash(queue string, keep time.Duration) store.Trash {
	if keep <= 0 {
		return store.Trash{}
	}
	return store.Trash{Token: rand.Text() + ":" + store.QueueTrash + queue, Keep: keep}
}
