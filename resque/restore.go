package resque

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// EqualJobsError is the error of [Client.Restore] and [Delayed.Restore] if jobs were not
// restored, because equal jobs have been enqueued since they were removed and have the
// locks; see package unique. They stay in the trash.
type EqualJobsError struct{ Jobs int64 }

func (e *EqualJobsError) Error() string {
	if e.Jobs == 1 {
		return "resque: 1 job is not restored, because an equal job is there now; it stays in the trash"
	}
	return fmt.Sprintf("resque: %d jobs are not restored, because equal jobs are there now; they stay in the trash", e.Jobs)
}

// lockedRestore restores jobs of a trash, and takes their locks in the same step.
type lockedRestore struct {
	locks   locks
	token   string
	queue   string // of the jobs, unless they were delayed
	delayed bool
}

// run restores the jobs. It passes the entries of those that are restored to tell.
func (r lockedRestore) run(ctx context.Context, tell func(entry []byte)) (restored int64, err error) {
	left, err := r.locks.store.TrashSize(ctx, r.token)
	if err != nil {
		return 0, wrapped(err)
	}
	var held int64
	for left > 0 {
		jobs, err := r.next(ctx, left)
		if err != nil {
			return restored, wrapped(err)
		}
		if len(jobs) == 0 {
			break // it has expired
		}
		done, err := r.locks.store.RestoreWithLocks(ctx, r.token, r.queue, r.delayed, jobs)
		for i, ok := range done {
			if left--; ok {
				restored++
				tell(jobs[i].Entry)
			} else {
				held++
			}
		}
		if err != nil {
			return restored, wrapped(err)
		}
	}
	switch {
	case held > 0:
		return restored, &EqualJobsError{Jobs: held}
	case restored == 0:
		return 0, fmt.Errorf("%w: %q", ErrNoTrash, r.token)
	}
	return restored, r.locks.store.ForgetTrash(ctx, r.token)
}

// next returns the jobs that are restored next. left is how many are left to look at.
func (r lockedRestore) next(ctx context.Context, left int64) ([]store.Restoring, error) {
	count := min(left, actsAtOnce)
	first := int64(0)
	if !r.delayed {
		first = -count
	}
	entries, err := r.locks.store.TrashPart(ctx, r.token, first, count)
	if err != nil {
		return nil, err
	}
	var jobs []store.Restoring
	size := 0
	for i := range entries {
		entry := entries[i]
		if !r.delayed {
			entry = entries[len(entries)-1-i]
		}
		if size += len(entry); i > 0 && size > bytesAtOnce {
			break
		}
		job, err := r.restoring(entry)
		if err != nil {
			return nil, fmt.Errorf("the trash %q: %w", r.token, err)
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

func (r lockedRestore) restoring(entry []byte) (job store.Restoring, err error) {
	job.Entry = entry
	queue := r.queue
	if r.delayed {
		second, _, ok := bytes.Cut(entry, []byte{' '})
		if job.Second, err = strconv.ParseInt(string(second), 10, 64); err != nil || !ok {
			return job, errors.New("an entry has no time")
		}
		job.Before = len(second) + 1
		item, err := wire.ParseDelayed(job.Payload())
		if err != nil || item.Queue == "" {
			return job, nil // it has no lock
		}
		queue = item.Queue
	}
	job.Locks = r.locks.of(queue, job.Payload())
	return job, nil
}
