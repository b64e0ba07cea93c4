package resque

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// How much one call looks at and removes, which everybody else waits for: see
// actsAtOnce. The first ones of a list cost less to remove.
const (
	retriedLooks    = 200
	retriedRemovals = 50
	retriedFirst    = 200
)

// clearRetried removes the failures that were retried in one pass, in which Redis
// itself tells them by how Ruby and Go write them. What is written another way, or
// moved meanwhile, is looked for afterwards.
//
// Ruby: Resque::Failure.clear_retried.
func (f *Failures) clearRetried(ctx context.Context, how Remove, filter FailureFilter, progress func(Progress)) (Progress, error) {
	lists, err := f.lists(ctx, filter.List)
	if err != nil {
		return Progress{}, err
	}
	b := &bulk{act: remove, keep: how.Keep, tell: progress}
	for _, list := range lists {
		if err := b.clear(ctx, f, list); err != nil {
			return b.progress, err
		}
		rest, err := newWalk(ctx, f.store, list, filter, oldestFirst)
		if err != nil {
			return b.progress, err
		}
		b.progress.Total += rest.left
		if err := b.through(ctx, rest, newMatcher(filter)); err != nil {
			return b.progress, err
		}
	}
	return b.progress, nil
}

// clear is the pass through one list.
func (b *bulk) clear(ctx context.Context, f *Failures, list string) error {
	b.begin(f, list)
	total, err := f.store.CountFailed(ctx, list)
	if err != nil {
		return fmt.Errorf("resque: %w", err)
	}
	b.progress.Total += total
	for at := int64(0); total > 0; {
		limit := retriedRemovals
		if at == 0 {
			limit = retriedFirst
		}
		removed, left, err := f.store.RemoveRetried(ctx, list, at, retriedLooks, limit, b.trash)
		if err != nil {
			return fmt.Errorf("resque: %w", err)
		}
		if removed+left == 0 {
			return nil
		}
		at, total = at+left, total-removed-left
		b.progress.Seen, b.progress.Done = b.progress.Seen+removed+left, b.progress.Done+removed
		if removed > 0 {
			if err := b.kept(ctx); err != nil {
				return err
			}
		}
		if b.tell != nil {
			b.tell(b.progress)
		}
	}
	return nil
}

// kept notes the trash, in which something is now.
func (b *bulk) kept(ctx context.Context) error {
	if b.keep <= 0 || slices.Contains(b.progress.Trash, b.trash.Token) {
		return nil
	}
	b.progress.Trash = append(b.progress.Trash, b.trash.Token)
	if err := b.f.store.NoteTrash(ctx, b.trash, time.Now()); err != nil {
		return fmt.Errorf("resque: %w", err)
	}
	return nil
}
