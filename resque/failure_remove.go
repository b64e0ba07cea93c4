package resque

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// Remove is how failures are removed.
type Remove struct {
	// Keep is how long what is removed can be restored (see Progress.Trash).
	// Defaults to 0: it is gone.
	Keep time.Duration
}

// Remove removes failures. One that is not there any more is told by the error,
// and does not keep the others from being removed.
//
// Ruby: Resque::Failure.remove.
func (f *Failures) Remove(ctx context.Context, how Remove, ids ...FailureID) (Progress, error) {
	return f.selected(ctx, &bulk{act: remove, keep: how.Keep}, ids)
}

// RemoveAll removes the failures that the filter passes among those that are
// there now. progress and ctx are as in RequeueAll. Without more than a List in
// the filter a list goes as a whole, at once.
//
// Ruby: Resque::Failure.clear, Resque::Failure.clear_retried and
// Resque::Failure.remove_queue.
func (f *Failures) RemoveAll(ctx context.Context, how Remove, filter FailureFilter, progress func(Progress)) (Progress, error) {
	if filter == (FailureFilter{List: filter.List, Retried: OnlyRetried}) {
		return f.clearRetried(ctx, how, filter, progress)
	}
	if !filter.all() {
		return f.matching(ctx, &bulk{act: remove, keep: how.Keep, tell: progress}, filter)
	}
	var p Progress
	lists, err := f.lists(ctx, filter.List)
	for _, list := range lists {
		trash := newTrash(list, how.Keep)
		n, err := f.store.ClearFailed(ctx, list, trash)
		if err != nil {
			return p, err
		}
		p.Total, p.Seen, p.Done = p.Total+n, p.Seen+n, p.Done+n
		if n > 0 && how.Keep > 0 {
			p.Trash = append(p.Trash, trash.Token)
			if err := f.store.NoteTrash(ctx, trash, time.Now()); err != nil {
				return p, err
			}
		}
	}
	if progress != nil && err == nil {
		progress(p)
	}
	return p, err
}

func remove(failureRecord) (store.FailedAct, error) { return store.FailedAct{Remove: true}, nil }

// newTrash names a new trash for a list's failures. The list is in its name, so
// that Restore knows it.
func newTrash(list string, keep time.Duration) store.Trash {
	return store.Trash{Token: rand.Text() + ":" + list, Keep: keep}
}

// ErrNoTrash is wrapped where there is nothing to restore any more.
var ErrNoTrash = errors.New("resque: nothing there to restore")

// Restore brings back what was removed to trash, one of Progress.Trash, and
// returns how many failures that were. They come to the front of their list, in
// the order they had: as the oldest ones.
func (f *Failures) Restore(ctx context.Context, trash string) (int64, error) {
	_, list, ok := strings.Cut(trash, ":")
	if !ok || list == "" {
		return 0, fmt.Errorf("%w: %q names no list", ErrNoTrash, trash)
	}
	var restored int64
	for {
		n, err := f.store.RestoreFailed(ctx, list, trash, maxPart)
		restored += n
		switch {
		case err != nil:
			return restored, err
		case restored == 0:
			return 0, fmt.Errorf("%w: %q", ErrNoTrash, trash)
		case n < maxPart:
			return restored, f.store.ForgetTrash(ctx, trash)
		}
	}
}
