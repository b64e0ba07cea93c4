package resque

import (
	"context"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// queuePart is how many jobs of a queue are read in one call. The store reads fewer if
// they are large.
const queuePart = 5000

// Count returns the number of jobs for which match returns true. It reads the whole
// queue.
func (q *Queue) Count(ctx context.Context, match func(QueuedJob) bool) (n int64, err error) {
	for first := int64(0); ; {
		jobs, _, err := q.Page(ctx, first, queuePart)
		if err != nil || len(jobs) == 0 {
			return n, err
		}
		for _, job := range jobs {
			if match(job) {
				n++
			}
		}
		first += int64(len(jobs))
	}
}

// RemoveMatching removes the jobs for which match returns true. match must decide by
// the bytes of the payload. Unless progress is nil, RemoveMatching calls it after each
// part of the queue. When ctx ends, RemoveMatching stops between two steps.
//
// RemoveMatching reads the queue in parts, from its end to its front, and removes the
// matching jobs of a part in one step. A job that a worker takes during the call is not
// removed. All other jobs that match are removed, with two exceptions. Jobs that are pushed
// during the call stay, unless workers take as many from the front. If jobs are put
// back at the front during the call, the same number of other jobs may stay.
func (q *Queue) RemoveMatching(ctx context.Context, how RemoveOptions, match func(QueuedJob) bool, progress func(BulkProgress)) (BulkProgress, error) {
	r := queueRemoval{q: q, locks: q.locks, match: match, most: queuePart, trash: newQueueTrash(q.name, how.Keep)}
	size, err := q.store.Size(ctx, q.name)
	r.p.Total = size
	if err == nil && size > 0 {
		err = q.store.NoteTrash(ctx, r.trash, time.Now())
	}
	for at := size; err == nil && at > 0; {
		at, err = r.before(ctx, at)
		r.p.Seen = r.p.Total - at
		if err == nil && progress != nil {
			progress(r.p)
		}
	}
	if err == nil && size > 0 {
		err = q.store.ForgetUnused(ctx, r.trash, r.p.Done)
	}
	return r.p, err
}

// queueRemoval removes jobs of a queue while workers take others from its front. That
// moves the rest to the front too, where a removal that begins at the end still finds
// them.
type queueRemoval struct {
	q     *Queue
	locks locks
	match func(QueuedJob) bool
	most  int64 // jobs to read next
	trash store.Trash
	p     BulkProgress
}

// before removes matching jobs of a part that ends before position end. It returns the
// position before which to continue.
func (r *queueRemoval) before(ctx context.Context, end int64) (next int64, err error) {
	part, err := r.q.store.QueuePartBefore(ctx, r.q.name, end, r.most)
	if err != nil || len(part) == 0 {
		return 0, err
	}
	var wanted [][]byte
	seen := map[string]bool{}
	for _, job := range queuedJobs(part) {
		if r.match(job) && !seen[string(job.Raw)] {
			seen[string(job.Raw)] = true
			wanted = append(wanted, job.Raw)
		}
	}
	first, last := part[len(part)-1].Position, part[0].Position
	if len(wanted) > 0 {
		if first, err = r.remove(ctx, first, last, wanted); err != nil {
			return end, err
		}
	}
	// If many were removed, the removal stopped early, and the rest is read again.
	r.most = min(2*(last-first+1), queuePart)
	return first, nil
}

func (r *queueRemoval) remove(ctx context.Context, first, last int64, wanted [][]byte) (reached int64, err error) {
	removed, reached, err := r.q.store.RemovePart(ctx, r.q.name, first, last, wanted, r.trash)
	gone := members{}
	for _, payload := range removed {
		gone.add(payload)
	}
	if counted := gone.count(ctx, r.q.store, store.MemberRemoved); err == nil {
		err = counted
	}
	if freed := r.locks.free(ctx, r.q.name, removed...); err == nil {
		err = freed
	}
	if forgot := forgetAttempts(ctx, r.q.store, r.q.locks.jobs, parsedJobs(r.q.name, removed...)...); err == nil {
		err = forgot
	}
	r.p.Done += int64(len(removed))
	r.p.keep(r.trash)
	return reached, err
}
