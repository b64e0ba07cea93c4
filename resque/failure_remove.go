package resque

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// RemoveOptions are the options of the methods that remove failures or waiting jobs.
type RemoveOptions struct {
	// Keep is how long removed entries can be restored: see [BulkProgress].Trash.
	// Defaults to 0: they cannot be restored.
	Keep time.Duration
}

// Remove removes the failures with the given ids. If some of them no longer exist,
// it removes the others and returns an error that wraps ErrFailureChanged for each.
//
// Ruby: Resque::Failure.remove.
func (f *Failures) Remove(ctx context.Context, how RemoveOptions, ids ...FailureID) (BulkProgress, error) {
	return f.selected(ctx, &bulk{act: remove, keep: how.Keep}, ids)
}

// RemoveAll removes the failures that match filter and exist when the call begins.
// It uses progress and ctx as [Failures.RequeueAll] does. If filter sets only List or
// All, each list is removed in one step, unless batches have failed members, whose failures
// are then found and counted. It returns [ErrNoFilter] for an empty filter.
//
// Ruby: Resque::Failure.clear, Resque::Failure.clear_retried and
// Resque::Failure.remove_queue.
func (f *Failures) RemoveAll(ctx context.Context, how RemoveOptions, filter FailureFilter, progress func(BulkProgress)) (BulkProgress, error) {
	if err := filter.check(); err != nil {
		return BulkProgress{}, err
	}
	filter.All = false
	if filter == (FailureFilter{List: filter.List, Requeued: OnlyRequeued}) {
		return f.clearRetried(ctx, how, filter, progress)
	}
	failed, err := hasFailed(ctx, f.store)
	if err != nil {
		return BulkProgress{}, err
	}
	if failed || !filter.all() {
		return f.matching(ctx, &bulk{act: remove, keep: how.Keep, tell: progress}, filter)
	}
	var p BulkProgress
	lists, err := f.lists(ctx, filter.List)
	for _, list := range lists {
		trash := newTrash(list, how.Keep)
		if err := f.store.NoteTrash(ctx, trash, time.Now()); err != nil {
			return p, err
		}
		n, err := f.store.ClearFailed(ctx, list, trash)
		if err != nil {
			return p, err
		}
		p.Total, p.Seen, p.Done = p.Total+n, p.Seen+n, p.Done+n
		if n > 0 && how.Keep > 0 {
			p.Trash = append(p.Trash, trash.Token)
		}
		if err := f.store.ForgetUnused(ctx, trash, n); err != nil {
			return p, err
		}
	}
	if progress != nil && err == nil {
		progress(p)
	}
	return p, err
}

func remove(failureRecord) (store.FailedAct, error) { return store.FailedAct{Remove: true}, nil }

// newTrash returns a new trash for failures of a list. The token contains the name
// of the list for Restore.
func newTrash(list string, keep time.Duration) store.Trash {
	return store.Trash{Token: rand.Text() + ":" + list, Keep: keep}
}

// ErrNoTrash is wrapped by the errors of [Client.Restore] and [Failures.Restore] if there
// is nothing left to restore.
var ErrNoTrash = errors.New("resque: nothing to restore")

// Restore puts removed failures back and returns how many it restored. trash is one
// of [BulkProgress].Trash. The failures return to the front of their list, as the
// oldest ones, in their previous order. The error wraps ErrNoTrash if nothing is
// left.
func (f *Failures) Restore(ctx context.Context, trash string) (int64, error) {
	_, list, ok := strings.Cut(trash, ":")
	if !ok || list == "" || list == store.DelayedTrash {
		return 0, fmt.Errorf("%w: %q is not the token of a removal", ErrNoTrash, trash)
	}
	return restore(ctx, f.store, trash, func() (restored, left int64, err error) {
		return f.store.RestoreFailed(ctx, list, trash, maxPart)
	})
}

// The records that one call examines and removes. Redis serves no other client during
// a call: see actsAtOnce. Removing at the front of a list (retriedFirst) is cheaper.
const (
	retriedLooks    = 200
	retriedRemovals = 50
	retriedFirst    = 200
)

// clearRetried removes the failures that were requeued before. In a first pass a
// script recognizes them by the spelling that Ruby and Go use. A second pass finds
// those that have another spelling or moved during the first.
//
// Ruby: Resque::Failure.clear_retried.
func (f *Failures) clearRetried(ctx context.Context, how RemoveOptions, filter FailureFilter, progress func(BulkProgress)) (BulkProgress, error) {
	lists, err := f.lists(ctx, filter.List)
	if err != nil {
		return BulkProgress{}, err
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

// clear runs the first pass on one list.
func (b *bulk) clear(ctx context.Context, f *Failures, list string) error {
	b.begin(f, list)
	total, err := f.store.CountFailed(ctx, list)
	if err != nil {
		return fmt.Errorf("resque: %w", err)
	}
	b.progress.Total += total
	before := b.progress.Done
	if total > 0 {
		if err := b.note(ctx); err != nil {
			return err
		}
	}
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
			break
		}
		at, total = at+left, total-removed-left
		b.progress.Seen, b.progress.Done = b.progress.Seen+removed+left, b.progress.Done+removed
		if removed > 0 {
			b.kept()
		}
		if b.tell != nil {
			b.tell(b.progress)
		}
	}
	return b.unused(ctx, b.progress.Done-before)
}

// note registers the trash before the first entry moves to it.
func (b *bulk) note(ctx context.Context) error {
	if b.noted == b.trash.Token {
		return nil
	}
	if err := b.f.store.NoteTrash(ctx, b.trash, time.Now()); err != nil {
		return fmt.Errorf("resque: %w", err)
	}
	b.noted = b.trash.Token
	return nil
}

// unused forgets the trash if no entry has moved to it.
func (b *bulk) unused(ctx context.Context, moved int64) error {
	if b.noted != b.trash.Token || slices.Contains(b.progress.Trash, b.trash.Token) || moved > 0 {
		return nil
	}
	b.noted = ""
	if err := b.f.store.ForgetUnused(ctx, b.trash, moved); err != nil {
		return fmt.Errorf("resque: %w", err)
	}
	return nil
}

// kept adds the trash to the result after the first entry was moved to it.
func (b *bulk) kept() {
	if b.keep > 0 && !slices.Contains(b.progress.Trash, b.trash.Token) {
		b.progress.Trash = append(b.progress.Trash, b.trash.Token)
	}
}
