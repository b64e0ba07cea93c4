package top

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/goresque/goresque/resque"
)

// What one read takes at most: rows of a list, bytes that Redis copies for it, bytes of
// records that are read whole, lists of failures, and the time of a search.
const (
	rowsAtMost   = 100
	bytesAtMost  = 16 << 20
	wholeBytes   = 256 << 10
	listsAtMost  = 20
	searchAtMost = 500 * time.Millisecond
	queueJobs    = 50
)

// reader reads what the tabs show.
type reader struct{ client *resque.Client }

// inSteps calls read for parts of a list that begin small, because the entries may be
// large, until there are count entries, or they have too many bytes.
func inSteps(count int64, read func(first, n int64) (entries int, bytes int64, err error)) error {
	var first, bytes int64
	for n := int64(10); first < count && bytes < bytesAtMost; n *= 3 {
		entries, size, err := read(first, min(n, count-first))
		if err != nil || entries == 0 {
			return err
		}
		first, bytes = first+int64(entries), bytes+size
	}
	return nil
}

// failures returns the newest failures of all lists. more reports whether there are others.
func (r reader) failures(ctx context.Context, snap resque.Snapshot, most int) (jobs []resque.FailedJob, more bool, err error) {
	lists := slices.DeleteFunc(slices.Clone(snap.Failures), func(f resque.FailureListSize) bool { return f.Size == 0 })
	slices.SortStableFunc(lists, func(a, b resque.FailureListSize) int { return cmp.Compare(b.Size, a.Size) })
	if len(lists) > listsAtMost {
		lists, more = lists[:listsAtMost], true
	}
	for _, list := range lists {
		some, err := r.newest(ctx, list, int64(max(most/len(lists), 10)))
		if err != nil {
			return nil, false, err
		}
		jobs, more = append(jobs, some...), more || int64(len(some)) < list.Size
	}
	if len(lists) > 1 {
		slices.SortStableFunc(jobs, func(a, b resque.FailedJob) int { return b.FailedAt.Compare(a.FailedAt) })
	}
	return jobs, more, nil
}

func (r reader) newest(ctx context.Context, list resque.FailureListSize, most int64) (jobs []resque.FailedJob, err error) {
	err = inSteps(min(most, list.Size), func(first, n int64) (int, int64, error) {
		part, err := r.client.Failures().Preview(ctx, list.List, list.Size-first-n, n, wholeBytes)
		slices.Reverse(part)
		jobs = append(jobs, part...)
		var bytes int64
		for _, job := range part {
			bytes += job.Size
		}
		return len(part), bytes, err
	})
	return jobs, err
}

func (r reader) delayed(ctx context.Context, most int) (jobs []resque.DelayedJob, more bool, err error) {
	part, err := r.client.Delayed().Search(ctx, resque.DelayedFilter{}, resque.DelayedPlace{}, most, searchAtMost)
	return part.Jobs, part.More, err
}

func (r reader) retries(ctx context.Context, most int) (jobs []resque.RetryingJob, more bool, err error) {
	part, err := r.client.Retries(nil).Search(ctx, resque.DelayedFilter{}, resque.DelayedPlace{}, most, searchAtMost)
	return part.Jobs, part.More, err
}

// queue returns the next jobs of a queue.
func (r reader) queue(ctx context.Context, name string) (jobs []resque.QueuedJob, err error) {
	err = inSteps(queueJobs, func(first, n int64) (int, int64, error) {
		part, _, err := r.client.Queue(name).Preview(ctx, first, n, wholeBytes)
		jobs = append(jobs, part...)
		var bytes int64
		for _, job := range part {
			bytes += job.Size
		}
		return len(part), bytes, err
	})
	return jobs, err
}

// list reads the content of a tab.
func (r reader) list(ctx context.Context, t tab, snap resque.Snapshot, write texts) list {
	var l list
	var more bool
	var err error
	switch t {
	case tabFailed:
		var jobs []resque.FailedJob
		jobs, more, err = r.failures(ctx, snap, rowsAtMost)
		if l = write.failures(jobs, snap.Now); more {
			l.note = "the newest " + grouped(int64(len(jobs)))
		}
	case tabScheduled:
		var jobs []resque.DelayedJob
		jobs, more, err = r.delayed(ctx, rowsAtMost)
		if l = write.delayed(jobs, snap.Now); more {
			l.note = "the first " + grouped(int64(len(jobs)))
		}
	case tabRetries:
		var jobs []resque.RetryingJob
		jobs, more, err = r.retries(ctx, rowsAtMost)
		if l = write.retries(jobs, snap.Now); more {
			l.note = "those that were found first"
		}
	default:
	}
	l.err, l.loaded = err, signature(t, snap)
	return l
}

// signature changes when the content of a tab may have changed. It also changes every ten
// seconds.
func signature(t tab, snap resque.Snapshot) uint64 {
	part := resque.Snapshot{Processed: snap.Now.Unix() / 10}
	if t == tabFailed {
		part.Failures = snap.Failures
	} else {
		part.Delayed, part.NextDue = snap.Delayed, snap.NextDue
	}
	return fingerprint(part)
}
