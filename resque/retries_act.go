package resque

import (
	"cmp"
	"context"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// GiveUpOptions are the options of [Retries.GiveUp] and [Retries.GiveUpAll].
type GiveUpOptions struct {
	// FailureLists is the list in Redis in which the failures are recorded.
	//
	// Defaults to [FailuresTogether]. With FailuresByQueue alone, it is the list of the
	// job's queue.
	FailureLists FailureLists
}

// listOf returns the list of failures for jobs of a queue.
func (o GiveUpOptions) listOf(queue string) string {
	if o.FailureLists == FailuresByQueue {
		return FailedListOf(queue)
	}
	return FailedList
}

// Run pushes the jobs with the given ids to their queues now, as [Delayed.Run] does: their
// attempts stay counted. For a job that does not wait for another attempt, the error wraps
// [ErrNotRetrying].
func (r *Retries) Run(ctx context.Context, ids ...DelayedID) (BulkProgress, error) {
	return r.delayed.selected(ctx, &delayedBulk{d: r.delayed, run: true, retries: r}, ids)
}

// RunAll runs the jobs that match filter, as [Delayed.RunAll] does.
func (r *Retries) RunAll(ctx context.Context, filter DelayedFilter, progress func(BulkProgress)) (BulkProgress, error) {
	return r.delayed.matching(ctx, &delayedBulk{d: r.delayed, run: true, retries: r, tell: progress}, filter)
}

// Remove cancels the jobs with the given ids, as [Delayed.Remove] does, and removes the
// counter and the last failure of their attempts. Equal jobs share these.
//
// Ruby: the button Remove of resque-retry's front end, which removes all equal jobs.
func (r *Retries) Remove(ctx context.Context, how RemoveOptions, ids ...DelayedID) (BulkProgress, error) {
	return r.delayed.selected(ctx, &delayedBulk{d: r.delayed, retries: r, trash: newDelayedTrash(how.Keep)}, ids)
}

// RemoveAll removes the jobs that match filter. It uses progress, ctx and filter as
// [Delayed.RunAll] does.
func (r *Retries) RemoveAll(ctx context.Context, how RemoveOptions, filter DelayedFilter, progress func(BulkProgress)) (BulkProgress, error) {
	return r.delayed.matching(ctx, &delayedBulk{d: r.delayed, retries: r, trash: newDelayedTrash(how.Keep), tell: progress}, filter)
}

// GiveUp makes the jobs with the given ids failed jobs: each is recorded with the failure
// of its last attempt, or with a [*GivenUpError] if that is not in Redis, and its counter is
// removed, in the step that removes the delayed job. It is not retried unless its failure is.
// Failure hooks and failure backends are not called.
func (r *Retries) GiveUp(ctx context.Context, how GiveUpOptions, ids ...DelayedID) (BulkProgress, error) {
	return r.delayed.selected(ctx, &delayedBulk{d: r.delayed, retries: r, giveUp: &how}, ids)
}

// GiveUpAll gives up the jobs that match filter. It uses progress, ctx and filter as
// [Delayed.RunAll] does.
func (r *Retries) GiveUpAll(ctx context.Context, how GiveUpOptions, filter DelayedFilter, progress func(BulkProgress)) (BulkProgress, error) {
	return r.delayed.matching(ctx, &delayedBulk{d: r.delayed, retries: r, giveUp: &how, tell: progress}, filter)
}

// attemptsOf returns the attempts of those of the items that wait for another one, by
// their positions in items, and the records of their failures if they are given up.
func (b *delayedBulk) attemptsOf(ctx context.Context, items []delayedItem) (map[int]retrying, map[int][]byte, error) {
	if b.retries == nil {
		return nil, nil, nil
	}
	found, err := b.retries.waiting(ctx, items, b.forgot)
	if err != nil {
		return nil, nil, err
	}
	var failures []FailedJob
	if b.giveUp != nil {
		if failures, err = b.retries.failures(ctx, found, 1<<30); err != nil {
			return nil, nil, err
		}
	}
	if !b.run && b.forgot == nil {
		b.forgot = forgotten{}
	}
	for n, one := range found {
		if _, known := b.forgot[one.keys]; known || b.run || one.keys == (store.RetryKeys{}) {
			continue
		}
		last := forgottenAttempts{attempt: one.attempt}
		if failures != nil {
			last.failure = failures[n]
			last.failure.Backtrace, last.failure.Raw, last.failure.Payload, last.failure.Args = nil, nil, nil, nil // they may be large
		}
		b.forgot[one.keys] = last
	}
	attempts, records := map[int]retrying{}, map[int][]byte{}
	next := 0
	for n, i := range items { // found is in the order of items
		if next == len(found) || found[next].item.second != i.second || found[next].item.position != i.position {
			continue
		}
		attempts[n] = found[next]
		if b.giveUp != nil {
			records[n] = givenUp(found[next], failures[next])
		}
		next++
	}
	return attempts, records, nil
}

// forgotten are the attempts that a call has removed, by their keys. Equal jobs share
// them, so that the next ones have none in Redis.
type forgotten map[store.RetryKeys]forgottenAttempts

type forgottenAttempts struct {
	removed bool
	attempt int64
	failure FailedJob // without its backtrace
}

// forget notes that an act is done, which has removed the keys of attempts.
func (b *delayedBulk) forget(a store.DelayedAct) {
	if last, ok := b.forgot[a.Forget]; ok {
		last.removed = true
		b.forgot[a.Forget] = last
	}
}

// givenUp returns the record of the failure of a job that is given up.
func givenUp(one retrying, last FailedJob) []byte {
	f := NewFailure(&Payload{Queue: one.item.job.Queue, Raw: one.item.job.Job(one.item.raw)}, &GivenUpError{one.attempt}, time.Now())
	if last.Exception != "" {
		f.Exception, f.Error, f.Worker = last.Exception, last.Error, last.Worker
		f.Backtrace = append([]string{}, last.Backtrace...)
		if !last.FailedAt.IsZero() {
			f.FailedAt = last.FailedAt
		}
	}
	return f.AppendJSON(nil)
}

// end completes an act on a job that waited for another attempt.
func (b *delayedBulk) end(a *store.DelayedAct, queue string, one retrying, record []byte) {
	if b.run {
		return
	}
	a.Forget = one.keys
	if b.giveUp != nil {
		a.Failure, a.FailedList = record, cmp.Or(b.giveUp.listOf(queue), FailedList)
	}
}
