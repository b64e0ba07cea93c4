package resque

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// FailureGroup is how often one class failed with one exception. A job of Rails
// counts for its class inside of the wrapper.
type FailureGroup struct {
	Class, Exception string
	Count            int64
	Retried          int64 // of them
	Oldest, Newest   time.Time
}

// Groups counts the failures that the filter passes by class and exception, the
// most frequent first. Every record is looked at.
func (f *Failures) Groups(ctx context.Context, filter FailureFilter) ([]FailureGroup, error) {
	lists, err := f.lists(ctx, filter.List)
	if err != nil {
		return nil, err
	}
	groups := map[[2]string]*FailureGroup{}
	for _, list := range lists {
		for r, err := range f.records(ctx, list, newMatcher(filter), newestFirst) {
			if err != nil {
				return nil, err
			}
			key := [2]string{cmp.Or(r.inside(), r.class()), r.text(exception)}
			if groups[key] == nil {
				groups[key] = &FailureGroup{Class: key[0], Exception: key[1]}
			}
			groups[key].add(r.failureRecord)
		}
	}
	sorted := make([]FailureGroup, 0, len(groups))
	for _, g := range groups {
		sorted = append(sorted, *g)
	}
	slices.SortFunc(sorted, func(a, b FailureGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Exception, b.Exception))
	})
	return sorted, nil
}

func (g *FailureGroup) add(r failureRecord) {
	g.Count++
	if r.retried() {
		g.Retried++
	}
	at := r.time(failedAt)
	if at.IsZero() {
		return
	}
	if g.Oldest.IsZero() || at.Before(g.Oldest) {
		g.Oldest = at
	}
	if at.After(g.Newest) {
		g.Newest = at
	}
}
