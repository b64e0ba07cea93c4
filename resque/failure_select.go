package resque

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// selected acts on the failures that ids name. Those behind go first, so that
// removing them moves none of the others.
func (f *Failures) selected(ctx context.Context, b *bulk, ids []FailureID) (Progress, error) {
	lists := map[string][]FailureID{}
	for _, id := range ids {
		id.List = cmp.Or(id.List, FailedList)
		lists[id.List] = append(lists[id.List], id)
	}
	b.named, b.progress.Total = true, int64(len(ids))
	for list, ids := range lists {
		if _, err := f.lists(ctx, list); err != nil {
			return b.progress, err
		}
		slices.SortFunc(ids, func(x, y FailureID) int { return cmp.Compare(y.Position, x.Position) })
		ids = slices.Compact(ids)
		b.begin(f, list)
		for some := range slices.Chunk(ids, actsAtOnce) {
			b.progress.Seen += int64(len(some))
			if err := b.byName(ctx, some); err != nil {
				return b.progress, err
			}
		}
	}
	return b.progress, errors.Join(b.errs...)
}

// byName acts on failures by their ids. They are looked for again when they moved
// between finding and acting.
func (b *bulk) byName(ctx context.Context, ids []FailureID) error {
	const tries = 3
	for range tries {
		found := map[int64]located{}
		for _, id := range ids {
			at, err := b.f.find(ctx, id)
			switch {
			case errors.Is(err, ErrFailureChanged):
				b.progress.Gone++
				b.complain(id, ErrFailureChanged)
			case err != nil:
				return err
			default:
				found[at.position] = at
			}
		}
		records := make([]located, 0, len(found))
		for _, at := range found {
			records = append(records, at)
		}
		slices.SortFunc(records, func(x, y located) int { return cmp.Compare(x.position, y.position) })
		_, gone, err := b.run(ctx, b.plan(records))
		if err != nil || len(gone) == 0 {
			return err
		}
		ids = ids[:0:0]
		for _, p := range gone {
			ids = append(ids, newFailureID(b.list, p.Position, p.raw))
		}
	}
	for _, id := range ids {
		b.progress.Gone++
		b.complain(id, ErrFailureChanged)
	}
	return nil
}

// find looks for a failure where id says, and then in front of that: others may
// have been removed meanwhile. Records with the same bytes are the same to us.
func (f *Failures) find(ctx context.Context, id FailureID) (located, error) {
	for _, span := range [][2]int64{{id.Position, id.Position}, {max(0, id.Position-maxPart), id.Position - 1}} {
		if span[1] < span[0] {
			continue
		}
		records, err := f.store.FailedRecords(ctx, id.List, span[0], span[1])
		if err != nil {
			return located{}, err
		}
		for i, raw := range slices.Backward(records) {
			if fullDigest(raw)[:digestLength] == id.Digest {
				return located{parseRecord(raw), span[0] + int64(i)}, nil
			}
		}
	}
	return located{}, fmt.Errorf("failure %s: %w", id, ErrFailureChanged)
}
