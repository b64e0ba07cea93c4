package resque

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/goresque/goresque/internal/store"
)

// delayedWalk reads delayed jobs in parts, the earliest second first. It differs from
// walk, which reads one list: there may be as many lists as jobs, so that a part has the
// jobs of many of them. Jobs that are delayed until a second that was read are not seen.
type delayedWalk struct {
	store   *store.Store
	last    int64 // the last second to read
	next    int64 // the first second that was not looked at
	more    bool  // whether a second may follow those in pending
	pending []store.DelayedSecond
	at      int64 // position in pending[0]
	size    int64 // size of the next part
	skip    DelayedPlace
	damage  damagedSeconds
}

// damagedSeconds are errors about seconds whose jobs cannot be read. They do not hide the
// jobs of other seconds: a caller reports them after those.
type damagedSeconds struct {
	errs []error // the first ones
	more int
}

// add takes the seconds that cannot be read out of a slice.
func (d *damagedSeconds) add(seconds []store.DelayedSecond) []store.DelayedSecond {
	const most = 3 // in one text
	return slices.DeleteFunc(seconds, func(s store.DelayedSecond) bool {
		switch {
		case s.Err == nil:
		case len(d.errs) < most:
			d.errs = append(d.errs, s.Err)
		default:
			d.more++
		}
		return s.Err != nil
	})
}

func (d *damagedSeconds) err() error {
	if d.more > 0 {
		return errors.Join(append(slices.Clone(d.errs), fmt.Errorf("and %d more seconds", d.more))...)
	}
	return errors.Join(d.errs...)
}

func newDelayedWalk(s *store.Store, filter DelayedFilter) *delayedWalk {
	first, last := filter.bounds()
	return &delayedWalk{store: s, next: first, last: last, more: first <= last, size: firstPart}
}

// part reads the next part. An empty part is the end: the error is then about seconds
// that could not be read.
func (w *delayedWalk) part(ctx context.Context) ([]delayedItem, error) {
	for {
		if err := w.look(ctx); err != nil {
			return nil, err
		}
		if len(w.pending) == 0 {
			return nil, w.damage.err()
		}
		spans := w.spans()
		items, err := w.store.DelayedItems(ctx, spans)
		if err != nil {
			return nil, err
		}
		var part []delayedItem
		for s, span := range spans {
			for i, raw := range items[s] {
				part = append(part, delayedItem{second: span.Second, position: span.First + int64(i), raw: raw})
			}
		}
		w.grow(part)
		if len(part) > 0 {
			return part, nil
		}
	}
}

// look reads which seconds come next, if pending is empty.
func (w *delayedWalk) look(ctx context.Context) (err error) {
	for len(w.pending) == 0 && w.more {
		if w.pending, w.next, w.more, err = w.store.DelayedSeconds(ctx, w.next, w.last); err != nil {
			return err
		}
		w.pending = w.damage.add(w.pending)
		w.pending = slices.DeleteFunc(w.pending, func(s store.DelayedSecond) bool { return s.Jobs <= w.skipped(s.Second) })
		if len(w.pending) > 0 {
			w.at = w.skipped(w.pending[0].Second)
		}
	}
	return nil
}

// startAt leaves out what is before a place. It is called before the first part.
func (w *delayedWalk) startAt(from DelayedPlace) {
	if from != (DelayedPlace{}) && from.Second >= w.next {
		w.next, w.skip = from.Second, from
	}
	w.more = w.next <= w.last
}

// skipped returns how many of the first jobs of a second are left out.
func (w *delayedWalk) skipped(second int64) int64 {
	if second == w.skip.Second {
		return w.skip.Position
	}
	return 0
}

// spans returns the spans of the next part and moves past them.
func (w *delayedWalk) spans() (spans []store.DelayedSpan) {
	for left := w.size; left > 0 && len(w.pending) > 0; {
		s := w.pending[0]
		n := min(left, s.Jobs-w.at)
		spans = append(spans, store.DelayedSpan{Second: s.Second, First: w.at, Count: n})
		left, w.at = left-n, w.at+n
		if w.at >= s.Jobs {
			w.pending, w.at = w.pending[1:], 0
		}
	}
	return spans
}

// grow increases the size of the next part, or reduces it if the jobs are large.
func (w *delayedWalk) grow(part []delayedItem) {
	size := int64(0)
	for _, i := range part {
		size += int64(len(i.raw))
	}
	w.size = nextPart(w.size, int64(len(part)), size)
}

// removed adjusts the walk after jobs of the last part were removed.
func (w *delayedWalk) removed(second, n int64) {
	if len(w.pending) > 0 && w.pending[0].Second == second && w.at > 0 {
		w.at -= n
		w.pending[0].Jobs -= n
	}
}

// items returns an iterator over the jobs that match. It reads them on demand.
func (d *Delayed) items(ctx context.Context, filter DelayedFilter) iter.Seq2[delayedItem, error] {
	return func(yield func(delayedItem, error) bool) {
		m, err := newDelayedMatcher(filter)
		if err != nil {
			yield(delayedItem{}, err)
			return
		}
		for w := newDelayedWalk(d.store, filter); ; {
			part, err := w.part(ctx)
			if err != nil {
				yield(delayedItem{}, err)
				return
			}
			if len(part) == 0 {
				return
			}
			for _, i := range part {
				if i, ok := m.match(i); ok && !yield(i, nil) {
					return
				}
			}
		}
	}
}
