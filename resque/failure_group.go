package resque

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// FailureGroup is how often one class failed with one exception and, but for the
// numbers in it, one message. A job of Rails counts for its class inside of the
// wrapper.
type FailureGroup struct {
	Class, Exception string

	// Message is how the errors begin, with an N for each number. It is empty where
	// a class has too many kinds of them with one exception: those are one group.
	Message string

	Count          int64
	Retried        int64 // of them
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
		g.Retried++
	}
	at := r.time(failedAt)
	if at.IsZero() {
		return
	}
	g.hours[hourOf(at)]++
	if g.Oldest.IsZero() || at.Before(g.Oldest) {
		g.Oldest = at
	}
	if at.After(g.Newest) {
		g.Newest = at
	}
}
