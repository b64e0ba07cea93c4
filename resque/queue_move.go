package resque

import (
	"context"
	"slices"
)

// moveRounds is how often MoveMatching reads the queue again for jobs that moved to the
// front meanwhile.
const moveRounds = 10

// MoveMatching moves the jobs for which match returns true to the end of the queue to, in
// their order. match must decide by the bytes of the payload. Unless progress is nil,
// MoveMatching calls it after each step. When ctx ends, MoveMatching stops between two
// steps.
//
// MoveMatching reads the queue from its front to the end that it has at the beginning, so
// jobs that are pushed during the call stay. It counts jobs that workers take meanwhile as
// Gone. Because the other jobs then move to the front, it reads the queue again, until
// there is nothing to move, but at most ten times.
func (q *Queue) MoveMatching(ctx context.Context, to string, match func(QueuedJob) bool, progress func(BulkProgress)) (BulkProgress, error) {
	if err := validQueue(to); err != nil {
		return BulkProgress{}, err
	}
	size, err := q.store.Size(ctx, q.name)
	m := queueMove{q: q, to: to, match: match, progress: progress, p: BulkProgress{Total: size}}
	for range moveRounds {
		before := m.p.Done
		if err == nil {
			err = m.round(ctx, size-before)
		}
		if err != nil || m.p.Done == before || to == q.name {
			break
		}
	}
	m.p.Seen = m.p.Total
	if err != nil {
		m.p.Seen = min(m.seen, m.p.Total)
	}
	return m.p, err
}

// queueMove moves jobs of a queue while workers take others from its front.
type queueMove struct {
	q        *Queue
	to       string
	match    func(QueuedJob) bool
	progress func(BulkProgress)
	seen     int64
	p        BulkProgress
}

// round moves the matching jobs among the first size ones.
func (m *queueMove) round(ctx context.Context, size int64) error {
	for at := int64(0); at < size; {
		jobs, _, err := m.q.Page(ctx, at, min(size-at, queuePart))
		if err != nil || len(jobs) == 0 {
			return err
		}
		matching := slices.DeleteFunc(slices.Clone(jobs), func(job QueuedJob) bool { return !m.match(job) })
		moved, err := m.move(ctx, matching)
		m.p.Done += moved
		if err != nil {
			return err
		}
		at, size = at+int64(len(jobs)-len(matching)), size-int64(len(matching))
		if m.seen += int64(len(jobs)); m.progress != nil {
			m.p.Seen = min(m.seen, m.p.Total)
			m.progress(m.p)
		}
	}
	return nil
}

// move moves jobs by their bytes, up to bytesAtOnce at a time.
func (m *queueMove) move(ctx context.Context, jobs []QueuedJob) (moved int64, err error) {
	for len(jobs) > 0 {
		var raws [][]byte
		n, size := 0, 0
		for ; n < min(len(jobs), actsAtOnce) && size < bytesAtOnce; n++ {
			raws = append(raws, jobs[n].Raw)
			size += len(jobs[n].Raw)
		}
		taken, err := m.q.store.MoveJobs(ctx, m.q.name, m.to, raws)
		for _, ok := range taken {
			if ok {
				moved++
			} else {
				m.p.Gone++
			}
		}
		if err != nil {
			return moved, err
		}
		jobs = jobs[n:]
	}
	return moved, nil
}
