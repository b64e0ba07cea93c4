package resque

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// Delayed is the set of the delayed jobs, which wait until they are due. It is safe for
// concurrent use. It reads them in parts and never keeps all of them in memory. A job
// that is due stays here until a scheduler moves it to its queue.
//
// Ruby: Resque::Scheduler::DelayingExtensions.
type Delayed struct {
	store *store.Store
	locks locks
}

// Delayed returns the delayed jobs, to read, run and cancel them.
func (c *Client) Delayed() *Delayed { return &Delayed{store: c.store, locks: c.locks()} }

// DelayedSecond is a second that has delayed jobs.
type DelayedSecond struct {
	Due  time.Time
	Jobs int64 // 0 if they were removed
}

// Seconds returns up to count seconds from the one at position first in order of time,
// and the number of all seconds. It takes two round trips.
//
// Ruby: Resque.delayed_queue_peek, Resque.delayed_timestamp_size and
// Resque.delayed_queue_schedule_size.
func (d *Delayed) Seconds(ctx context.Context, first, count int64) (seconds []DelayedSecond, total int64, err error) {
	if count <= 0 {
		first, count = 0, 0
	}
	found, total, err := d.store.DelayedRank(ctx, first, count)
	var damage damagedSeconds
	for _, s := range damage.add(found) {
		seconds = append(seconds, DelayedSecond{time.Unix(s.Second, 0).UTC(), s.Jobs})
	}
	return seconds, total, wrapped(cmp.Or(err, damage.err()))
}

// Page returns up to count jobs of the second of due, starting at position first, in one
// round trip.
//
// Ruby: Resque.delayed_timestamp_peek.
func (d *Delayed) Page(ctx context.Context, due time.Time, first, count int64) ([]DelayedJob, error) {
	if count <= 0 {
		return nil, nil
	}
	items, err := d.store.DelayedItems(ctx, []store.DelayedSpan{{Second: due.Unix(), First: first, Count: count}})
	if err != nil {
		return nil, wrapped(err)
	}
	jobs := make([]DelayedJob, len(items[0]))
	for i, raw := range items[0] {
		jobs[i] = parseDelayed(due.Unix(), first+int64(i), raw).decoded()
	}
	return jobs, nil
}

// Jobs returns an iterator over the jobs that match filter, the earliest first. It ends
// after an error. Jobs are read on demand, so that the first ones are available
// immediately. If the key of a second has another type, the jobs of other seconds come
// first, and then an error that names the key.
//
// Ruby: Resque.find_delayed_selection.
func (d *Delayed) Jobs(ctx context.Context, filter DelayedFilter) iter.Seq2[DelayedJob, error] {
	return func(yield func(DelayedJob, error) bool) {
		for i, err := range d.items(ctx, filter) {
			if err != nil {
				yield(DelayedJob{}, wrapped(err))
				return
			}
			if !yield(i.decoded(), nil) {
				return
			}
		}
	}
}

// Count returns the number of jobs that match filter. If filter sets at most All, Since
// and Until, Count reads the number of jobs of each second, otherwise every job.
//
// Ruby: Resque.count_all_scheduled_jobs, which takes a round trip for each second.
func (d *Delayed) Count(ctx context.Context, filter DelayedFilter) (n int64, err error) {
	if filter.onlyTimes() {
		n, damage, err := d.length(ctx, filter)
		return n, wrapped(cmp.Or(err, damage))
	}
	for _, err := range d.items(ctx, filter) {
		if err != nil {
			return n, wrapped(err)
		}
		n++
	}
	return n, nil
}

// length returns the number of jobs within the times of filter. damage is about seconds
// that cannot be read.
func (d *Delayed) length(ctx context.Context, filter DelayedFilter) (n int64, damage, err error) {
	for w := newDelayedWalk(d.store, filter); ; w.pending = nil {
		if err := w.look(ctx); err != nil {
			return n, nil, err
		}
		if len(w.pending) == 0 {
			return n, w.damage.err(), nil
		}
		for _, s := range w.pending {
			n += s.Jobs
		}
	}
}

// Find returns the job with the given id. It also searches the positions in front of the
// id's, because the job moves there when others are removed. The error wraps
// [ErrDelayedChanged] if the job is not found.
func (d *Delayed) Find(ctx context.Context, id DelayedID) (DelayedJob, error) {
	i, err := d.find(ctx, id)
	return i.decoded(), wrapped(err)
}

// find searches for a job at its position and then in front of it. Jobs of a second with
// the same bytes are interchangeable.
func (d *Delayed) find(ctx context.Context, id DelayedID) (delayedItem, error) {
	front := max(0, id.Position-maxPart)
	for _, span := range []store.DelayedSpan{
		{Second: id.Second, First: id.Position, Count: 1},
		{Second: id.Second, First: front, Count: id.Position - front},
	} {
		if span.Count == 0 {
			continue
		}
		items, err := d.store.DelayedItems(ctx, []store.DelayedSpan{span})
		if err != nil {
			return delayedItem{}, err
		}
		for i, raw := range slices.Backward(items[0]) {
			if store.Digest(raw)[:digestLength] == id.Digest {
				return parseDelayed(id.Second, span.First+int64(i), raw), nil
			}
		}
	}
	return delayedItem{}, fmt.Errorf("delayed job %s: %w", id, unprefixed{ErrDelayedChanged})
}

// DelayedRepair is the result of [Delayed.Repair].
type DelayedRepair struct {
	Added   int64 // seconds that had jobs and that no scheduler would have found
	Removed int64 // seconds without jobs

	// Indexed are jobs of the added seconds that [Client.RemoveDelayed] and the like would
	// not have found.
	Indexed int64
}

// Repair finds delayed jobs that no scheduler would ever move, because their second is not
// in the set of seconds that have delayed jobs. This happens if a Ruby process dies while
// it delays a job. Repair adds these seconds to the set, and removes seconds that have no
// jobs, such as those whose jobs were canceled. It also writes the set with which the jobs of
// an added second are found by their bytes. It looks at all keys of Redis, in parts.
// If dry is true, it changes nothing and returns what it would do.
func (d *Delayed) Repair(ctx context.Context, dry bool) (r DelayedRepair, err error) {
	for cursor := "0"; ; {
		var seconds []int64
		if seconds, cursor, err = d.store.ScanDelayed(ctx, cursor); err == nil {
			seconds, err = d.store.UnknownDelayed(ctx, seconds)
		}
		if err == nil {
			err = d.locate(ctx, seconds, dry, &r)
		}
		if err == nil {
			err = d.index(ctx, seconds, dry, &r.Added, &r)
		}
		if err != nil {
			return r, wrapped(err)
		}
		if cursor == "0" {
			break
		}
	}
	w := newDelayedWalk(d.store, DelayedFilter{})
	for w.more {
		var seconds []store.DelayedSecond
		if seconds, w.next, w.more, err = d.store.DelayedSeconds(ctx, w.next, w.last); err != nil {
			return r, wrapped(err)
		}
		var empty []int64
		for _, s := range w.damage.add(seconds) {
			if s.Jobs == 0 {
				empty = append(empty, s.Second)
			}
		}
		if err := d.index(ctx, empty, dry, &r.Removed, &r); err != nil {
			return r, wrapped(err)
		}
	}
	return r, wrapped(w.damage.err())
}

// locate writes the sets in which the jobs of seconds are missing.
func (d *Delayed) locate(ctx context.Context, seconds []int64, dry bool, r *DelayedRepair) error {
	const some = 100
	for _, second := range seconds {
		for first := int64(0); ; first += some {
			items, err := d.store.DelayedItems(ctx, []store.DelayedSpan{{Second: second, First: first, Count: some}})
			if store.Refused(err) && !store.Passes(err) {
				break // a key of another type has no jobs
			}
			if err != nil {
				return err
			}
			if len(items[0]) == 0 {
				break
			}
			n, err := d.store.LocateDelayed(ctx, second, first, items[0], dry)
			r.Indexed += n
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// index repairs seconds. If dry is true, it adds their number to would.
func (d *Delayed) index(ctx context.Context, seconds []int64, dry bool, would *int64, r *DelayedRepair) error {
	if dry {
		*would += int64(len(seconds))
		return nil
	}
	removed, added, err := d.store.IndexDelayed(ctx, seconds)
	r.Removed, r.Added = r.Removed+removed, r.Added+added
	return err
}

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("resque: %w", err)
}
