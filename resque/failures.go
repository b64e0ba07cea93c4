package resque

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// Failures are the jobs that failed: in the list of all queues, and in the lists
// of those queues whose failures are kept by queue. Both kinds may be there. It
// is safe for concurrent use, and holds no more of a list than a part at a time.
//
// Ruby: Resque::Failure.
type Failures struct{ store *store.Store }

// Failures reads and acts on the jobs that failed.
func (c *Client) Failures() *Failures { return &Failures{store: c.store} }

// ErrNoFailureList is wrapped by errors about a list that holds no failures.
var ErrNoFailureList = errors.New("resque: no such list of failures")

// Lists are the names of the lists: FailedList, then those of the queues,
// sorted. A list may be empty. Names that Resque does not give to lists are left
// out: clearing such a key could take the jobs of a queue.
//
// Ruby: Resque::Failure.queues.
func (f *Failures) Lists(ctx context.Context) ([]string, error) {
	queues, err := f.store.FailedQueues(ctx)
	if err != nil {
		return nil, err
	}
	queues = slices.DeleteFunc(queues, func(name string) bool { return !store.IsFailedList(name) })
	return append([]string{FailedList}, queues...), nil
}

// lists are those that a filter means. A name that is none of them is refused:
// it may be any key, and what is in there may be no failures.
func (f *Failures) lists(ctx context.Context, list string) ([]string, error) {
	if list == FailedList {
		return []string{list}, nil
	}
	lists, err := f.Lists(ctx)
	if err != nil || list == "" {
		return lists, err
	}
	if !slices.Contains(lists, list) {
		return nil, fmt.Errorf("%w: %q", ErrNoFailureList, list)
	}
	return []string{list}, nil
}

// Count is how many failures the filter passes. With no more than a List in it
// that is asked of Redis alone; otherwise every record is looked at.
//
// Ruby: Resque::Failure.count.
func (f *Failures) Count(ctx context.Context, filter FailureFilter) (int64, error) {
	var n int64
	lists, err := f.lists(ctx, filter.List)
	if err != nil {
		return 0, err
	}
	for _, list := range lists {
		if filter.all() {
			length, err := f.store.CountFailed(ctx, list)
			if err != nil {
				return 0, err
			}
			n += length
			continue
		}
		matching, err := f.count(ctx, list, newMatcher(filter))
		if err != nil {
			return 0, err
		}
		n += matching
	}
	return n, nil
}

// count looks through a list to its end. While one part is looked at, the next one
// is read.
func (f *Failures) count(ctx context.Context, list string, m matcher) (n int64, err error) {
	w, err := newWalk(ctx, f.store, list, m.FailureFilter, newestFirst)
	if err != nil {
		return 0, err
	}
	w.size = maxPart
	parts := make(chan []located)
	go func() {
		defer close(parts)
		for {
			var part []located
			if part, err = w.next(ctx); err != nil || len(part) == 0 {
				return
			}
			parts <- part
		}
	}()
	for part := range parts { // to the end, so that nobody waits there
		for _, at := range part {
			if _, ok := m.match(at.raw); ok {
				n++
			}
		}
	}
	return n, err
}

// Newest are the failures that the filter passes, the newest first. An error
// ends them. Records are read as they are asked for, so that the first ones of a
// long list come at once; one whose place changes meanwhile may come twice.
//
// Ruby: Resque::Failure.each, whose order is that within a page.
func (f *Failures) Newest(ctx context.Context, filter FailureFilter) iter.Seq2[FailedJob, error] {
	return f.each(ctx, filter, newestFirst)
}

// Oldest are the failures that the filter passes, the oldest first.
//
// Ruby: Resque::Failure.each with order "asc".
func (f *Failures) Oldest(ctx context.Context, filter FailureFilter) iter.Seq2[FailedJob, error] {
	return f.each(ctx, filter, oldestFirst)
}

func (f *Failures) each(ctx context.Context, filter FailureFilter, o order) iter.Seq2[FailedJob, error] {
	return func(yield func(FailedJob, error) bool) {
		lists, err := f.lists(ctx, filter.List)
		if err != nil {
			yield(FailedJob{}, err)
			return
		}
		var all []iter.Seq2[FailedJob, error]
		for _, list := range lists {
			all = append(all, f.jobs(ctx, list, newMatcher(filter), o))
		}
		for job, err := range merge(all, o) {
			if !yield(job, err) {
				return
			}
		}
	}
}

// jobs are the failures of one list.
func (f *Failures) jobs(ctx context.Context, list string, m matcher, o order) iter.Seq2[FailedJob, error] {
	return func(yield func(FailedJob, error) bool) {
		for at, err := range f.records(ctx, list, m, o) {
			if err != nil {
				yield(FailedJob{}, err)
				return
			}
			if !yield(at.job(newFailureID(list, at.position, at.raw)), nil) {
				return
			}
		}
	}
}

// Page returns up to count failures of a list from position first on, the oldest
// being 0, in one round trip. A name that no list of failures has is refused.
//
// Ruby: Resque::Failure.all.
func (f *Failures) Page(ctx context.Context, list string, first, count int64) ([]FailedJob, error) {
	list = cmp.Or(list, FailedList)
	if list != FailedList && !store.IsFailedList(list) {
		return nil, fmt.Errorf("%w: %q", ErrNoFailureList, list)
	}
	records, err := f.store.FailedRecords(ctx, list, first, first+count-1)
	jobs := make([]FailedJob, len(records))
	for i, raw := range records {
		jobs[i] = ParseFailedJob(list, first+int64(i), raw)
	}
	return jobs, err
}

// Find is the failure that id names: there, or a little in front of it where
// others were removed meanwhile. The error wraps ErrFailureChanged where it is
// gone.
//
// Ruby: Resque::Failure.all with an offset.
func (f *Failures) Find(ctx context.Context, id FailureID) (FailedJob, error) {
	id.List = cmp.Or(id.List, FailedList)
	if _, err := f.lists(ctx, id.List); err != nil {
		return FailedJob{}, err
	}
	at, err := f.find(ctx, id)
	if err != nil {
		return FailedJob{}, err
	}
	return at.job(newFailureID(id.List, at.position, at.raw)), nil
}

// FailureGroup is how often one class failed with one exception and, but for the
// numbers in it, one message. A job of Rails counts for its class inside of the
// wrapper.
type FailureGroup struct {
	Class, Exception string

	// Message is how the errors begin, with an N for each number. It is empty where
	// a class has too many kinds of them with one exception: those are one group.
	Message string

	Count          int64
	Requeued       int64 // of them
	Oldest, Newest time.Time

	hours map[int64]int64 // failures by the hour since 1970
}

// messageLength is how much of an error tells groups apart, and groupsAtMost how
// many groups there are before messages are left out.
const (
	messageLength = 120
	groupsAtMost  = 1000
)

// Spread counts the failures of the group by when they failed, in so many equal
// parts of the time from first to last, to the hour.
func (g FailureGroup) Spread(first, last time.Time, parts int) []int64 {
	counts := make([]int64, parts)
	from, hours := hourOf(first), hourOf(last)-hourOf(first)+1
	for hour, n := range g.hours {
		if at := (hour - from) * int64(parts) / max(hours, 1); hour >= from && at < int64(parts) {
			counts[at] += n
		}
	}
	return counts
}

func hourOf(at time.Time) int64 { return at.Unix() / int64(time.Hour/time.Second) }

// Groups counts the failures that the filter passes by class, exception and the
// beginning of the message, the most frequent first. Every record is looked at.
func (f *Failures) Groups(ctx context.Context, filter FailureFilter) ([]FailureGroup, error) {
	lists, err := f.lists(ctx, filter.List)
	if err != nil {
		return nil, err
	}
	groups := map[[3]string]*FailureGroup{}
	for _, list := range lists {
		for r, err := range f.records(ctx, list, newMatcher(filter), newestFirst) {
			if err != nil {
				return nil, err
			}
			key := [3]string{cmp.Or(r.inside(), r.class()), r.text(exception), foldNumbers(r.text(message))}
			if groups[key] == nil && len(groups) >= groupsAtMost {
				key[2] = ""
			}
			if groups[key] == nil {
				groups[key] = &FailureGroup{Class: key[0], Exception: key[1], Message: key[2], hours: map[int64]int64{}}
			}
			groups[key].add(r.failureRecord)
		}
	}
	sorted := make([]FailureGroup, 0, len(groups))
	for _, g := range groups {
		sorted = append(sorted, *g)
	}
	slices.SortFunc(sorted, func(a, b FailureGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Exception, b.Exception), cmp.Compare(a.Message, b.Message))
	})
	return sorted, nil
}

// foldNumbers is how a text begins, with an N for each number in it.
func foldNumbers(text string) string {
	var folded strings.Builder
	inNumber := false
	for _, r := range text {
		isDigit := r >= '0' && r <= '9'
		switch {
		case isDigit && !inNumber:
			folded.WriteByte('N')
		case !isDigit:
			folded.WriteRune(r)
		}
		if inNumber = isDigit; folded.Len() >= messageLength {
			break
		}
	}
	return folded.String()
}

func (g *FailureGroup) add(r failureRecord) {
	g.Count++
	if r.retried() {
		g.Requeued++
	}
	at, _, _ := r.time(failedAt)
	if at.IsZero() {
		return
	}
	g.hours[hourOf(at.Time)]++
	if g.Oldest.IsZero() || at.Before(g.Oldest) {
		g.Oldest = at.Time
	}
	if at.After(g.Newest) {
		g.Newest = at.Time
	}
}
