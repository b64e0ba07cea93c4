package resque

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// BulkProgress is the progress or the result of a call that changes several failures
// or waiting jobs.
type BulkProgress struct {
	Total   int64 // entries to examine, counted when the call began
	Seen    int64 // entries examined so far
	Done    int64 // entries requeued, moved or removed
	Gone    int64 // entries left unchanged because another process removed or changed them
	Refused int64 // failures left unchanged because they cannot be requeued

	// Trash holds the tokens that [Client.Restore] accepts, one for each list from
	// which entries were removed and kept.
	Trash []string
}

// The limits of one call: acts, and bytes of records. Redis serves no other client
// during a call. To overwrite a record in the middle of 100,000 takes about 0.1 ms.
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
	named    bool // whether the failures are given by id
	list     string
	trash    store.Trash
	noted    string // the token of the trash that was registered last
	progress BulkProgress
	errs     []error // about given failures that could not be changed
}

// begin starts work on a list.
func (b *bulk) begin(f *Failures, list string) {
	b.f, b.list, b.trash = f, list, newTrash(list, b.keep)
}

// planned is an act on the record at its position. It changes the record to after.
type planned struct {
	located
	store.FailedAct
	after []byte // nil if the record is removed
}

// plan returns the acts for records. It omits and counts the records that cannot be
// changed.
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

// complain keeps the error about one failure if the failures are given by id.
func (b *bulk) complain(id FailureID, err error) {
	if b.named {
		b.errs = append(b.errs, fmt.Errorf("resque: failure %s: %w", id, unprefixed{err}))
	}
}

// run runs plans, which must be sorted by position. It returns the plans that were
// carried out, and those whose record was not at its position.
func (b *bulk) run(ctx context.Context, plans []planned) (done, gone []planned, err error) {
	acts := make([]store.FailedAct, len(plans))
	for i, p := range plans {
		acts[i] = p.FailedAct
	}
	if slices.ContainsFunc(acts, func(a store.FailedAct) bool { return a.Remove }) {
		if err := b.note(ctx); err != nil {
			return nil, nil, err
		}
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
		b.kept()
		err = forget(ctx, b.f.store, done)
	}
	return done, gone, errors.Join(err, b.unused(ctx, int64(len(done))))
}

// forget counts the members of batches whose failures were removed without being requeued,
// now or before.
func forget(ctx context.Context, s *store.Store, done []planned) error {
	gone := members{}
	for _, p := range done {
		if p.Remove && p.Queue == "" && !p.retried() {
			gone.add(p.member(payload))
		}
	}
	return gone.count(ctx, s, store.MemberForgotten)
}

// failedActs returns the error of a call that failed. It wraps ErrMaybeQueued if
// the call could have requeued a job and its result is unknown.
func failedActs(acts []store.FailedAct, err error) error {
	var notSent *store.NotSentError
	requeues := slices.ContainsFunc(acts, func(a store.FailedAct) bool { return a.Queue != "" })
	if !requeues || errors.As(err, &notSent) || store.Refused(err) {
		return fmt.Errorf("resque: %w", err)
	}
	return fmt.Errorf("resque: %w: %w", ErrMaybeQueued, err)
}

// matching runs b on the failures that match filter.
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

// through runs b on a whole list, part by part.
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

// part runs the plans of a part in chunks. Each removal moves the following records
// forward by one position. A record that is not at its position is then searched for
// by id.
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

// chunks splits plans into the plans of one call each.
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

// selected runs b on the failures with the given ids. It starts at the end of the
// list, so that removals do not move the remaining ones.
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

// byName runs b on failures given by id, the last one first. It searches again for
// failures that moved after they were found.
func (b *bulk) byName(ctx context.Context, ids []FailureID) error {
	const tries = 3
	for range tries {
		gone, err := b.byNameOnce(ctx, ids)
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

// byNameOnce runs b on the failures that it finds, and returns those that moved in the
// meantime. It acts whenever it has found bytesAtOnce of records.
func (b *bulk) byNameOnce(ctx context.Context, ids []FailureID) (gone []planned, err error) {
	found, size := map[int64]located{}, 0
	act := func() error {
		records := slices.SortedFunc(maps.Values(found), func(x, y located) int { return cmp.Compare(x.position, y.position) })
		missed, err := b.inChunks(ctx, b.plan(records))
		gone = append(gone, missed...)
		clear(found)
		size = 0
		return err
	}
	for _, id := range ids {
		at, err := b.f.find(ctx, id)
		switch {
		case errors.Is(err, ErrFailureChanged):
			b.progress.Gone++
			b.complain(id, ErrFailureChanged)
			continue
		case err != nil:
			return gone, err
		}
		found[at.position] = at
		if size += len(at.raw); size >= bytesAtOnce {
			if err := act(); err != nil {
				return gone, err
			}
		}
	}
	return gone, act()
}

// inChunks runs plans, the last ones first, so that removals do not move the
// remaining records. It returns the plans whose record was not at its position.
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

// find searches for a failure at its position and then in front of it, because
// removals move it there. Records with the same bytes are interchangeable. Only the
// digests of large records are read until it is found.
func (f *Failures) find(ctx context.Context, id FailureID) (located, error) {
	at, ok, err := f.findAt(ctx, id, id.Position)
	if err != nil || ok {
		return at, err
	}
	first := max(0, id.Position-maxPart)
	before, err := f.store.FailedPreview(ctx, id.List, first, id.Position-first, 0)
	if err != nil {
		return located{}, err
	}
	for _, e := range slices.Backward(before) {
		if e.Digest[:digestLength] == id.Digest {
			if at, ok, err = f.findAt(ctx, id, e.Position); err != nil || ok {
				return at, err
			}
		}
	}
	return located{}, fmt.Errorf("resque: failure %s: %w", id, unprefixed{ErrFailureChanged})
}

func (f *Failures) findAt(ctx context.Context, id FailureID, position int64) (at located, ok bool, err error) {
	records, err := f.store.FailedPart(ctx, id.List, position, 1, false)
	if err != nil || len(records) == 0 || store.Digest(records[0].Raw)[:digestLength] != id.Digest {
		return located{}, false, err
	}
	return located{parseRecord(records[0].Raw), position}, true, nil
}
