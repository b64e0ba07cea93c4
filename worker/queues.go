package worker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// lister names all known queues.
type lister interface {
	Queues(ctx context.Context) ([]string, error)
}

// queueList turns what a worker was told to work into the names to look at, in
// order. It is used by one goroutine at a time, that of the call in flight.
type queueList struct {
	given   []string
	skipped []string
	dynamic bool
	store   lister
	every   time.Duration // how old known may be
	known   []string
	asked   time.Time
}

// newQueueList splits exclusions from names and patterns.
//
// Ruby: Resque::Worker#queues=.
func newQueueList(queues []string, store lister, every time.Duration) *queueList {
	l := &queueList{given: names(queues), store: store, every: every}
	for _, q := range queues {
		if skip, ok := strings.CutPrefix(q, "!"); ok {
			l.skipped = append(l.skipped, skip)
		}
	}
	l.dynamic = len(l.skipped) > 0 || slices.ContainsFunc(l.given, func(q string) bool {
		return strings.ContainsAny(q, "*?{}[]")
	})
	if !l.dynamic {
		l.known = l.given
	}
	return l
}

// names returns the queues that are not exclusions.
func names(queues []string) []string {
	return slices.DeleteFunc(slices.Clone(queues), func(q string) bool {
		return strings.HasPrefix(q, "!")
	})
}

// look returns the queues to look at now. Patterns are matched against the known
// queues again once the last list is old.
//
// Ruby: Resque::Worker#queues.
func (l *queueList) look(ctx context.Context) ([]string, error) {
	if !l.dynamic || (l.known != nil && time.Since(l.asked) < l.every) {
		return l.known, nil
	}
	all, err := l.store.Queues(ctx)
	if err != nil {
		return nil, fmt.Errorf("matching the queues: %w", err)
	}
	l.known, l.asked = l.match(all), time.Now()
	return l.known, nil
}

// match picks the known queues that each given name or pattern stands for, in
// the order given and alphabetically within a pattern, each once.
//
// Ruby: Resque::Worker#glob_match.
func (l *queueList) match(all []string) []string {
	slices.Sort(all)
	matched := []string{}
	for _, pattern := range l.given {
		for _, q := range all {
			if fnmatch(pattern, q) && !slices.Contains(matched, q) && !l.skip(q) {
				matched = append(matched, q)
			}
		}
	}
	return matched
}

func (l *queueList) skip(queue string) bool {
	return slices.ContainsFunc(l.skipped, func(pattern string) bool { return fnmatch(pattern, queue) })
}
