package resque

import (
	"context"
	"time"
)

// DelayedPlace is a place among the delayed jobs: a second, and a position in it. The
// zero value is the beginning.
type DelayedPlace struct{ Second, Position int64 }

// DelayedPart is the result of [Delayed.Search].
type DelayedPart struct {
	Jobs    []DelayedJob
	Checked int64        // jobs that were compared with the filter
	More    bool         // the search ended before the last job
	Next    DelayedPlace // where to continue, if More
}

// searchBytes is the size of the jobs after which a search ends.
const searchBytes = 4 * partBytes

// Search returns up to limit jobs that match filter, the earliest first, beginning at
// from. It ends early when it has taken budget, or has found more than about 8 MB, so
// that a page shows what was found so far and continues from there. The first jobs are
// checked even if budget is 0. If the key of a second has another type, Search returns the
// jobs of the other seconds and an error that names the key.
func (d *Delayed) Search(ctx context.Context, filter DelayedFilter, from DelayedPlace, limit int, budget time.Duration) (DelayedPart, error) {
	var found DelayedPart
	m, err := newDelayedMatcher(filter)
	if err != nil {
		return found, err
	}
	w := newDelayedWalk(d.store, filter)
	if filter.onlyTimes() {
		w.size = min(int64(limit)+1, maxPart) // one more shows whether a job follows
	}
	w.startAt(from)
	size := 0
	for begun := time.Now(); ; {
		part, err := w.part(ctx)
		if err != nil || len(part) == 0 {
			return found, wrapped(err)
		}
		for _, i := range part {
			if len(found.Jobs) == limit {
				found.More, found.Next = true, DelayedPlace{i.second, i.position}
				return found, nil
			}
			found.Checked++
			if i, ok := m.match(i); ok {
				found.Jobs = append(found.Jobs, i.decoded())
				size += len(i.raw)
			}
		}
		if time.Since(begun) > budget || size > searchBytes {
			last := part[len(part)-1]
			found.More, found.Next = true, DelayedPlace{last.second, last.position + 1}
			return found, nil
		}
	}
}
