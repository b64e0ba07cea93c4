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

// Failures is the set of failed jobs in the list of all queues and in the lists of
// single queues. Both kinds of list may exist. Failures is safe for concurrent use.
// It reads lists in parts and never keeps a whole list in memory.
//
// Ruby: Resque::Failure.
type Failures struct{ store *store.Store }

// Failures returns the failed jobs, to read, requeue and remove them.
func (c *Client) Failures() *Failures { return &Failures{store: c.store} }

// ErrNoFailureList is wrapped by the error if a name is not that of a list of failures.
var ErrNoFailureList = errors.New("resque: no such list of failures")

// Lists returns the names of the lists of failures: FailedList first, then those of
// the queues, sorted. A list may be empty. It omits names that Resque does not give
// to lists of failures, because clearing such a key could remove the jobs of a
// queue.
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

// lists returns the lists that a filter selects. Any other name is an error: it
// could be that of any key, whose entries may not be failures.
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

// Count returns the number of failures that match filter. If filter sets at most
// List, Redis returns the number; otherwise Count reads every record.
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

// CountUnknownTimes returns how many failures a filter with Since or Until leaves out
// because their time is unknown: it cannot be read, or its zone is missing and decides
// whether it matches. They match the rest of the filter. It returns 0 for a filter
// without times.
func (f *Failures) CountUnknownTimes(ctx context.Context, filter FailureFilter) (int64, error) {
	if filter.Since.IsZero() && filter.Until.IsZero() {
		return 0, nil
	}
	lists, err := f.lists(ctx, filter.List)
	if err != nil {
		return 0, err
	}
	m := newMatcher(filter)
	m.unknownTimes = true
	var n int64
	for _, list := range lists {
		matching, err := f.count(ctx, list, m)
		if err != nil {
			return 0, err
		}
		n += matching
	}
	return n, nil
}

// count counts the matching records of one list.
func (f *Failures) count(ctx context.Context, list string, m matcher) (n int64, err error) {
	err = f.visit(ctx, list, m, func(failureRecord) { n++ })
	return n, err
}

// visit calls fn for each matching record of one list, the newest first. It reads the next
// part while it matches the previous one.
func (f *Failures) visit(ctx context.Context, list string, m matcher, fn func(failureRecord)) error {
	w, err := newWalk(ctx, f.store, list, m.FailureFilter, newestFirst)
	if err != nil {
		return err
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
	for part := range parts { // until it is closed, so that the sender never blocks
		for _, at := range part {
			if r, ok := m.match(at.raw); ok {
				fn(r)
			}
		}
	}
	return err
}

// Newest returns an iterator over the failures that match filter, the newest first.
// It ends after an error. Records are read on demand, so that the first ones of a
// long list are available immediately. A failure whose position changes during the
// iteration may be yielded twice.
//
// Ruby: Resque::Failure.each, whose order applies within a page.
func (f *Failures) Newest(ctx context.Context, filter FailureFilter) iter.Seq2[FailedJob, error] {
	return f.each(ctx, filter, newestFirst)
}

// Oldest is like [Failures.Newest], with the oldest failure first.
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

// jobs returns an iterator over the matching failures of one list.
func (f *Failures) jobs(ctx context.Context, list string, m matcher, o order) iter.Seq2[FailedJob, error] {
	return func(yield func(FailedJob, error) bool) {
		for at, err := range f.records(ctx, list, m, o) {
			if err != nil {
				yield(FailedJob{}, err)
				return
			}
			if !yield(at.whole(list), nil) {
				return
			}
		}
	}
}

// Page returns up to count failures of a list, starting at position first, in one
// round trip. Position 0 is the oldest failure. If the failures are larger than about
// 2 MB together, Page returns fewer, but at least one unless the list ends before. An
// empty list means FailedList. The error wraps ErrNoFailureList if list cannot be the
// name of a list of failures.
//
// Ruby: Resque::Failure.all.
func (f *Failures) Page(ctx context.Context, list string, first, count int64) ([]FailedJob, error) {
	return f.page(list, func(list string) ([]store.Entry, error) {
		return f.store.FailedPart(ctx, list, max(first, 0), count, false)
	})
}

// Preview is like [Failures.Page], but always returns count failures if the list has
// them. It reads about bytes bytes of whole failures; of the others it returns only the
// beginning: see [FailedJob.IsWhole]. It takes more than one round trip only if the
// failures are large.
func (f *Failures) Preview(ctx context.Context, list string, first, count, bytes int64) ([]FailedJob, error) {
	return f.page(list, func(list string) ([]store.Entry, error) {
		return f.store.FailedPreview(ctx, list, max(first, 0), count, max(bytes, 0))
	})
}

func (f *Failures) page(list string, read func(list string) ([]store.Entry, error)) ([]FailedJob, error) {
	list = cmp.Or(list, FailedList)
	if list != FailedList && !store.IsFailedList(list) {
		return nil, fmt.Errorf("%w: %q", ErrNoFailureList, list)
	}
	records, err := read(list)
	if err != nil {
		return nil, err
	}
	jobs := make([]FailedJob, len(records))
	for i, e := range records {
		jobs[i] = failedJob(list, e)
	}
	return jobs, nil
}

// failedJob returns the failure in an entry, which may be only the beginning of it.
func failedJob(list string, e store.Entry) FailedJob {
	if e.IsWhole() {
		return ParseFailedJob(list, e.Position, e.Raw)
	}
	return beginningOf(e.Raw).job(FailureID{list, e.Position, e.Digest[:digestLength]}, e.Size)
}

// Find returns the failure with the given id. It also searches the positions in
// front of the id's, because the failure moves there when others are removed. The
// error wraps ErrFailureChanged if the failure is not found.
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
	return at.whole(id.List), nil
}

// FailureGroup is a group of failures with the same class, the same exception and
// the same message, apart from numbers in the message. The class of a Rails job is
// that of the job inside the wrapper.
type FailureGroup struct {
	Class, Exception string

	// Message is the beginning of the errors, with an N in place of each number. When
	// there are too many groups, the remaining failures of a class and exception are
	// one group, and Message is empty.
	Message string

	Count          int64
	Requeued       int64 // the part of Count that was requeued
	Oldest, Newest time.Time

	hours map[int64]int64 // failures by the hour since 1970
}

// messageLength is the number of bytes of an error that distinguish groups.
// groupsAtMost is the number of groups from which messages are omitted.
const (
	messageLength = 120
	groupsAtMost  = 1000
)

// Spread divides the time from first to last into equal parts and returns the number
// of the group's failures in each. Times are rounded down to the hour.
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

// Week returns the number of the group's failures by weekday, Sunday first, and hour of
// the day, in UTC. Failures without a time are not counted.
func (g FailureGroup) Week() (failures [7][24]int64) {
	for hour, n := range g.hours {
		at := time.Unix(hour*int64(time.Hour/time.Second), 0).UTC()
		failures[at.Weekday()][at.Hour()] += n
	}
	return failures
}

func hourOf(at time.Time) int64 { return at.Unix() / int64(time.Hour/time.Second) }

// Groups returns the failures that match filter, grouped by class, exception and the
// beginning of the message, the largest group first. It reads every record.
func (f *Failures) Groups(ctx context.Context, filter FailureFilter) ([]FailureGroup, error) {
	lists, err := f.lists(ctx, filter.List)
	if err != nil {
		return nil, err
	}
	groups := map[[3]string]*FailureGroup{}
	for _, list := range lists {
		err := f.visit(ctx, list, newMatcher(filter), func(r failureRecord) {
			key := [3]string{cmp.Or(r.inside(), r.class()), r.text(exception), foldNumbers(r.text(message))}
			if groups[key] == nil && len(groups) >= groupsAtMost {
				key[2] = ""
			}
			if groups[key] == nil {
				groups[key] = &FailureGroup{Class: key[0], Exception: key[1], Message: key[2], hours: map[int64]int64{}}
			}
			groups[key].add(r)
		})
		if err != nil {
			return nil, err
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

// foldNumbers returns the beginning of a text, with an N in place of each number.
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
