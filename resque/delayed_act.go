package resque

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// ErrDelayedChanged is wrapped by the error if a delayed job does not exist: a scheduler
// moved it to its queue, or another process removed it. The call did not change it.
var ErrDelayedChanged = errors.New("resque: the delayed job no longer exists")

// Run pushes the jobs with the given ids to the ends of their queues now, byte for byte,
// each in one step. If some cannot be run, it runs the others and returns an error with a
// line for each, which wraps [ErrDelayedChanged] or [ErrDelayedDamaged]. Hooks are not
// called, because they were called when the jobs were delayed. If the error wraps
// [ErrMaybeQueued], read the jobs again to see which were run.
//
// Ruby: Resque.enqueue_delayed, and "Queue now" of its front end.
func (d *Delayed) Run(ctx context.Context, ids ...DelayedID) (BulkProgress, error) {
	return d.selected(ctx, &delayedBulk{d: d, run: true}, ids)
}

// RunAll runs the jobs that match filter and exist when the call begins, the earliest
// first. It skips and counts those that are damaged. Unless progress is nil, RunAll calls
// it after each part. When ctx ends, RunAll stops between two steps; another call
// continues from there. It returns [ErrNoFilter] for an empty filter.
//
// Ruby: Resque.enqueue_delayed_selection.
func (d *Delayed) RunAll(ctx context.Context, filter DelayedFilter, progress func(BulkProgress)) (BulkProgress, error) {
	return d.matching(ctx, &delayedBulk{d: d, run: true, tell: progress}, filter)
}

// Remove cancels the jobs with the given ids. If some of them no longer exist, it cancels
// the others and returns an error that wraps ErrDelayedChanged for each.
//
// Ruby: Resque.remove_delayed_job_from_timestamp, which removes all jobs of the second
// that have the same bytes.
func (d *Delayed) Remove(ctx context.Context, how RemoveOptions, ids ...DelayedID) (BulkProgress, error) {
	return d.selected(ctx, &delayedBulk{d: d, trash: newDelayedTrash(how.Keep)}, ids)
}

// RemoveAll cancels the jobs that match filter and exist when the call begins. It uses
// progress, ctx and filter as [Delayed.RunAll] does.
//
// Ruby: Resque.remove_delayed_selection and, with All, Resque.reset_delayed_queue.
func (d *Delayed) RemoveAll(ctx context.Context, how RemoveOptions, filter DelayedFilter, progress func(BulkProgress)) (BulkProgress, error) {
	return d.matching(ctx, &delayedBulk{d: d, trash: newDelayedTrash(how.Keep), tell: progress}, filter)
}

// Restore puts canceled jobs back and returns how many it restored. trash is one of
// [BulkProgress].Trash. A job whose time has come is moved to its queue by the scheduler.
// The error wraps [ErrNoTrash] if nothing is left. It takes the locks of the jobs again, as
// [Client.Restore] does.
func (d *Delayed) Restore(ctx context.Context, trash string) (restored int64, err error) {
	if name, isQueue := store.TrashedList(trash); isQueue || name != store.DelayedTrash {
		return 0, fmt.Errorf("%w: token %q is not of delayed jobs", ErrNoTrash, trash)
	}
	if d.locks.known() {
		return restoreLocked(ctx, lockedRestore{locks: d.locks, token: trash, delayed: true})
	}
	back, err := trashed(ctx, d.store, trash)
	if err != nil {
		return 0, err
	}
	defer func() {
		if restored > 0 {
			err = errors.Join(err, back.count(ctx, d.store, store.MemberRestored))
		}
	}()
	for {
		n, err := d.store.RestoreDelayed(ctx, trash, actsAtOnce)
		restored += n
		switch {
		case err != nil:
			return restored, wrapped(err)
		case restored == 0:
			return 0, fmt.Errorf("%w: %q", ErrNoTrash, trash)
		case n < actsAtOnce:
			return restored, d.store.ForgetTrash(ctx, trash)
		}
	}
}

func newDelayedTrash(keep time.Duration) store.Trash {
	return store.Trash{Token: rand.Text() + ":" + store.DelayedTrash, Keep: keep}
}

// delayedBulk runs or cancels many delayed jobs. Unlike bulk, one call of it acts on
// several lists, because each second has its own.
type delayedBulk struct {
	d     *Delayed
	run   bool // otherwise cancel
	trash store.Trash
	noted bool // the trash is registered
	tell  func(BulkProgress)

	retries *Retries       // only jobs that wait for another attempt; nil for all
	giveUp  *GiveUpOptions // record them as failures; nil otherwise
	forgot  forgotten
	locks   locks

	named    bool // whether the jobs are given by id
	progress BulkProgress
	errs     []error // about given jobs that could not be changed
}

// matching acts on the jobs that match filter.
func (d *Delayed) matching(ctx context.Context, b *delayedBulk, filter DelayedFilter) (BulkProgress, error) {
	if err := filter.check(); err != nil {
		return BulkProgress{}, err
	}
	m, err := newDelayedMatcher(filter)
	if err != nil {
		return BulkProgress{}, err
	}
	if b.progress.Total, _, err = d.length(ctx, filter); err != nil { // the walk reports damage
		return BulkProgress{}, wrapped(err)
	}
	for w := newDelayedWalk(d.store, filter); ; {
		part, err := w.part(ctx)
		if err != nil || len(part) == 0 {
			return b.progress, wrapped(err)
		}
		b.progress.Seen += int64(len(part))
		found, err := b.waiting(ctx, m.all(part))
		if err != nil {
			return b.progress, err
		}
		if err := b.part(ctx, w, found); err != nil {
			return b.progress, err
		}
		if b.tell != nil {
			b.tell(b.progress)
		}
	}
}

// waiting returns the items to act on.
func (b *delayedBulk) waiting(ctx context.Context, items []delayedItem) ([]delayedItem, error) {
	if b.retries == nil {
		return items, nil
	}
	found, err := b.retries.waiting(ctx, items, b.forgot)
	items = make([]delayedItem, len(found))
	for n, one := range found {
		items[n] = one.item
	}
	return items, err
}

// part acts on the jobs of a part. Each removal moves the following jobs of its second
// forward by one position. A job that is not at its position is then searched for by id.
func (b *delayedBulk) part(ctx context.Context, w *delayedWalk, found []delayedItem) error {
	removed := map[int64]int64{} // by second
	defer func() {
		for second, n := range removed {
			w.removed(second, n)
		}
	}()
	var lost []DelayedID
	for some := range delayedChunks(found) {
		for i := range some {
			some[i].position -= removed[some[i].second]
		}
		done, gone, err := b.act(ctx, some)
		for _, i := range done {
			removed[i.second]++
		}
		for _, i := range gone {
			lost = append(lost, i.id())
		}
		if err != nil {
			return err
		}
	}
	return b.byName(ctx, lost)
}

// delayedChunks splits jobs into those of one call each.
func delayedChunks(items []delayedItem) iter.Seq[[]delayedItem] {
	return func(yield func([]delayedItem) bool) {
		for len(items) > 0 {
			n, size := 0, 0
			for n < len(items) && n < actsAtOnce && (n == 0 || size < bytesAtOnce) {
				size += len(items[n].raw)
				n++
			}
			if !yield(items[:n]) {
				return
			}
			items = items[n:]
		}
	}
}

// act acts on jobs, which must be sorted, in one call. It returns those that are done,
// and those that were not at their position.
func (b *delayedBulk) act(ctx context.Context, items []delayedItem) (done, gone []delayedItem, err error) {
	attempts, records, err := b.attemptsOf(ctx, items)
	if err != nil {
		return nil, nil, err
	}
	var acts []store.DelayedAct
	var of []delayedItem // the jobs of acts
	for n, i := range items {
		one, waits := attempts[n]
		if b.retries != nil && !waits {
			b.progress.Refused++
			b.complain(i.id(), ErrNotRetrying)
			continue
		}
		a := store.DelayedAct{Position: i.position, Delayed: store.Delayed{Due: i.second, Payload: i.raw}}
		if b.run {
			if err := i.damage(); err != nil {
				b.progress.Refused++
				b.complain(i.id(), err)
				continue
			}
			a.Queue, a.CutFrom, a.CutTo = i.job.Queue, i.job.CutFrom, i.job.CutTo
		}
		b.end(&a, i.job.Queue, one, records[n])
		acts, of = append(acts, a), append(of, i)
	}
	if err := b.note(ctx); err != nil {
		return nil, nil, err
	}
	acted, err := b.d.store.ActOnDelayed(ctx, acts, !b.named, b.trash)
	if err != nil && b.run {
		err = maybeQueued(err)
	}
	if err != nil {
		return nil, nil, wrapped(err)
	}
	for n, i := range of {
		switch {
		case acted[n].Err != nil:
			return done, gone, fmt.Errorf("resque: delayed job %s: %w", i.id(), acted[n].Err)
		case !acted[n].Done:
			gone = append(gone, i)
		default:
			done = append(done, i)
			b.progress.Done++
			b.forget(acts[n])
		}
	}
	if len(done) > 0 {
		gone := members{}
		for _, i := range done {
			if !b.run {
				gone.add(i.raw)
			}
		}
		b.progress.keep(b.trash)
		err = gone.count(ctx, b.d.store, store.MemberRemoved)
	}
	if !b.run {
		err = errors.Join(err, b.free(ctx, done), b.forgetAttempts(ctx, done))
	}
	return done, gone, errors.Join(err, b.unused(ctx))
}

// free frees the locks of jobs that were canceled.
func (b *delayedBulk) free(ctx context.Context, items []delayedItem) error {
	if b.locks.store == nil {
		b.locks = b.d.locks
	}
	if !b.locks.any() {
		return nil
	}
	return b.locks.freeDelayed(ctx, items)
}

// forgetAttempts removes the counters of the attempts of jobs that were canceled. Those that
// were known to wait for another attempt have none any more.
func (b *delayedBulk) forgetAttempts(ctx context.Context, items []delayedItem) error {
	if b.retries != nil {
		return nil
	}
	var jobs []*Payload
	for _, i := range items {
		if i.job.Class != "" {
			jobs = append(jobs, &Payload{Class: i.job.Class, Queue: i.job.Queue, Args: i.job.Args, Raw: i.job.Job(i.raw)})
		}
	}
	return forgetAttempts(ctx, b.d.store, b.d.locks.jobs, jobs...)
}

func (b *delayedBulk) complain(id DelayedID, err error) {
	if b.named {
		b.errs = append(b.errs, fmt.Errorf("resque: delayed job %s: %w", id, unprefixed{err}))
	}
}

// note registers the trash before the first job moves to it.
func (b *delayedBulk) note(ctx context.Context) error {
	if b.noted {
		return nil
	}
	err := b.d.store.NoteTrash(ctx, b.trash, time.Now())
	b.noted = err == nil
	return wrapped(err)
}

// unused forgets the trash if no job has moved to it.
func (b *delayedBulk) unused(ctx context.Context) error {
	if !b.noted || b.progress.Done > 0 {
		return nil
	}
	b.noted = false
	return wrapped(b.d.store.ForgetUnused(ctx, b.trash, 0))
}

// selected acts on the jobs with the given ids.
func (d *Delayed) selected(ctx context.Context, b *delayedBulk, ids []DelayedID) (BulkProgress, error) {
	b.named, b.progress.Total = true, int64(len(ids))
	// The last ones first, so that removals do not move the remaining ones.
	ids = slices.SortedFunc(slices.Values(ids), func(x, y DelayedID) int {
		return cmp.Or(cmp.Compare(x.Second, y.Second), cmp.Compare(y.Position, x.Position))
	})
	ids = slices.Compact(ids)
	for some := range slices.Chunk(ids, selectedAtOnce) {
		b.progress.Seen += int64(len(some))
		if err := b.byName(ctx, some); err != nil {
			return b.progress, err
		}
	}
	return b.progress, errors.Join(b.errs...)
}

// selectedAtOnce is how many jobs given by id one call changes. For each, the script
// searches the list of its second for another copy: 100,000 jobs take about 1 ms.
const selectedAtOnce = 10

// byName acts on jobs given by id. It searches again for jobs that moved after they were
// found.
func (b *delayedBulk) byName(ctx context.Context, ids []DelayedID) error {
	const tries = 3
	for range tries {
		found := map[[2]int64]delayedItem{}
		for _, id := range ids {
			i, err := b.d.find(ctx, id)
			switch {
			case errors.Is(err, ErrDelayedChanged):
				b.progress.Gone++
				b.complain(id, ErrDelayedChanged)
			case err != nil:
				return wrapped(err)
			default:
				found[[2]int64{i.second, i.position}] = i
			}
		}
		items := make([]delayedItem, 0, len(found))
		for _, i := range found {
			items = append(items, i)
		}
		slices.SortFunc(items, func(x, y delayedItem) int {
			return cmp.Or(cmp.Compare(x.second, y.second), cmp.Compare(x.position, y.position))
		})
		ids = ids[:0:0]
		for _, some := range slices.Backward(slices.Collect(delayedChunks(items))) {
			_, gone, err := b.act(ctx, some)
			if err != nil {
				return err
			}
			for _, i := range gone {
				ids = append(ids, i.id())
			}
		}
		if len(ids) == 0 {
			return nil
		}
	}
	for _, id := range ids {
		b.progress.Gone++
		b.complain(id, ErrDelayedChanged)
	}
	return nil
}
