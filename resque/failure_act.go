package resque

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// BulkProgress is how far an act on failures or waiting jobs is, or what came of it.
type BulkProgress struct {
	Total   int64 // how many there were to be looked at when it began
	Seen    int64 // of them
	Done    int64 // requeued or removed
	Gone    int64 // removed or changed by others just then; nothing was done
	Refused int64 // damaged, so that they could not be requeued

	// Trash is what Restore takes, one for each list of which failures were
	// removed and kept.
	Trash []string
}

// How many acts, and about how many bytes of records, go into one call, during which
// Redis serves no other client: to overwrite a record in the middle of 100,000
// takes some 0.1 ms.
const (
	actsAtOnce  = 50
	bytesAtOnce = 1 << 20
)

// bulk acts on many failures.
type bulk struct {
	act  func(r failureRecord) (store.FailedAct, error)
	keep time.Duration
	tell func(BulkProgress)

	f        *Failures
	named    bool // by their ids
	list     string
	trash    store.Trash
	progress BulkProgress
	errs     []error // of those named that could not be acted on
}

// begin turns to a list.
func (b *bulk) begin(f *Failures, list string) {
	b.f, b.list, b.trash = f, list, newTrash(list, b.keep)
}

// planned is an act on the record at its place, which it leaves as after.
type planned struct {
	located
	store.FailedAct
	after []byte // nil where it is removed
}

// plan says what to do with records. Those with which nothing can be done are
// left out, and counted.
func (b *bulk) plan(records []located) []planned {
	plans := make([]planned, 0, len(records))
	for _, at := range records {
		a, err := b.act(at.failureRecord)
		if err != nil {
			b.progress.Refused++
			b.complain(newFailureID(b.list, at.position, at.raw), err)
			continue
		}
		a.Position, a.Digest = at.position, store.Digest(at.raw)
		p := planned{located: at, FailedAct: a}
		if !a.Remove {
			p.after = slices.Concat(at.raw[:a.CutFrom], a.Insert, at.raw[a.CutTo:])
		}
		plans = append(plans, p)
	}
	return plans
}

// complain keeps the error about one failure, where each was named.
func (b *bulk) complain(id FailureID, err error) {
	if b.named {
		b.errs = append(b.errs, fmt.Errorf("failure %s: %w", id, err))
	}
}

// run acts on plans, which are in the order of their positions, and returns what
// was done and what was not there.
func (b *bulk) run(ctx context.Context, plans []planned) (done, gone []planned, err error) {
	acts := make([]store.FailedAct, len(plans))
	for i, p := range plans {
		acts[i] = p.FailedAct
	}
	acted, err := b.f.store.ActOnFailed(ctx, b.list, acts, !b.named, b.trash)
	if err != nil {
		return nil, nil, failedActs(acts, err)
	}
	for i, p := range plans {
		switch {
		case acted[i].Err != nil:
			return done, gone, fmt.Errorf("resque: failure %s: %w", newFailureID(b.list, p.Position, p.raw), acted[i].Err)
		case !acted[i].Done:
			gone = append(gone, p)
		default:
			done = append(done, p)
			b.progress.Done++
		}
	}
	if len(done) > 0 {
		err = b.kept(ctx)
	}
	return done, gone, err
}

// failedActs is the error of acts of which Redis said nothing.
func failedActs(acts []store.FailedAct, err error) error {
	var notSent *store.NotSentError
	requeues := slices.ContainsFunc(acts, func(a store.FailedAct) bool { return a.Queue != "" })
	if !requeues || errors.As(err, &notSent) || store.Refused(err) {
		return fmt.Errorf("resque: %w", err)
	}
	return fmt.Errorf("resque: %w: %w", ErrMaybeQueued, err)
}

// matching acts on the failures that the filter passes.
func (f *Failures) matching(ctx context.Context, b *bulk, filter FailureFilter) (BulkProgress, error) {
	lists, err := f.lists(ctx, filter.List)
	if err != nil {
		return BulkProgress{}, err
	}
	var walks []*walk
	for _, list := range lists {
		w, err := newWalk(ctx, f.store, list, filter, oldestFirst)
		if err != nil {
			return b.progress, err
		}
		b.progress.Total += w.left
		walks = append(walks, w)
	}
	m := newMatcher(filter)
	for _, w := range walks {
		b.begin(f, w.list)
		if err := b.through(ctx, w, m); err != nil {
			return b.progress, err
		}
	}
	return b.progress, nil
}

// through acts on all of a list, part by part.
func (b *bulk) through(ctx context.Context, w *walk, m matcher) error {
	for {
		part, err := w.next(ctx)
		if err != nil || len(part) == 0 {
			return err
		}
		b.progress.Seen += int64(len(part))
		var matching []located
		for _, at := range part {
			var ok bool
			if at.failureRecord, ok = m.match(at.raw); ok {
				matching = append(matching, at)
			}
		}
		if err := b.part(ctx, w, b.plan(matching)); err != nil {
			return err
		}
		if b.tell != nil {
			b.tell(b.progress)
		}
	}
}

// part acts on the plans of a part, some at a time. What was removed moves the
// rest up. What was not there is looked for by its name.
func (b *bulk) part(ctx context.Context, w *walk, plans []planned) error {
	var lost []FailureID
	var all []planned
	defer func() { w.acted(all) }()
	removed := int64(0)
	for some := range chunks(plans) {
		for i := range some {
			some[i].Position -= removed
		}
		done, gone, err := b.run(ctx, some)
		for _, p := range done {
			if p.Remove {
				removed++
			}
		}
		all = append(all, done...)
		if err != nil {
			return err
		}
		for _, p := range gone {
			lost = append(lost, newFailureID(b.list, p.Position, p.raw))
		}
	}
	for some := range slices.Chunk(lost, actsAtOnce) {
		slices.Reverse(some)
		if err := b.byName(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// chunks cuts plans into what goes into one call each.
func chunks(plans []planned) iter.Seq[[]planned] {
	return func(yield func([]planned) bool) {
		for len(plans) > 0 {
			n, size := 0, 0
			for n < len(plans) && n < actsAtOnce && (n == 0 || size < bytesAtOnce) {
				size += len(plans[n].raw)
				n++
			}
			if !yield(plans[:n]) {
				return
			}
			plans = plans[n:]
		}
	}
}

// selected acts on the failures that ids name. Those behind go first, so that
// removing them moves none of the others.
func (f *Failures) selected(ctx context.Context, b *bulk, ids []FailureID) (BulkProgress, error) {
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
		gone, err := b.inChunks(ctx, b.plan(records))
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

// inChunks acts on plans, the last ones first, so that removing some moves none of
// the others. It returns those whose records were not there.
func (b *bulk) inChunks(ctx context.Context, plans []planned) (gone []planned, err error) {
	for _, some := range slices.Backward(slices.Collect(chunks(plans))) {
		_, missed, err := b.run(ctx, some)
		if err != nil {
			return gone, err
		}
		gone = append(gone, missed...)
	}
	return gone, nil
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
			if store.Digest(raw)[:digestLength] == id.Digest {
				return located{parseRecord(raw), span[0] + int64(i)}, nil
			}
		}
	}
	return located{}, fmt.Errorf("failure %s: %w", id, ErrFailureChanged)
}
