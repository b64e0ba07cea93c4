package worker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goresque/goresque/internal/fnmatch"
)

// lister names all known queues.
type lister interface {
	Queues(ctx context.Context) ([]string, error)
}

// queueList turns what a worker was told to work into the names to look at, in
// order. The leader of the exchange uses it; forget may be called by others.
type queueList struct {
	given   []string
	skipped []string
	dynamic bool
	store   lister
	every   time.Duration // how old known may be
	known   []string
	asked   time.Time
	fresh   bool // the last look asked for the known queues, or had no need to
	stale   atomic.Bool
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
	l.fresh = !l.dynamic || l.known == nil || time.Since(l.asked) >= l.every || l.stale.Load()
	if !l.dynamic || !l.fresh {
		return l.known, nil
	}
	l.stale.Store(false)
	all, err := l.store.Queues(ctx)
	if err != nil {
		return nil, fmt.Errorf("matching the queues: %w", err)
	}
	l.known, l.asked = l.match(all), time.Now()
	return l.known, nil
}

// forget has the next look ask for the queues again, however young the list is.
func (l *queueList) forget() { l.stale.Store(true) }

// match picks the known queues that each given name or pattern stands for, in
// the order given and alphabetically within a pattern, each once. A plain name
// stands for itself, known or not: its first job is then seen at once, and one
// pushed without making the queue known is seen, too.
//
// Ruby: Resque::Worker#glob_match.
func (l *queueList) match(all []string) []string {
	slices.Sort(all)
	matched := []string{}
	for _, given := range l.given {
		for _, q := range candidates(given, all) {
			if fnmatch.Match(given, q) && !slices.Contains(matched, q) && !l.skip(q) {
				matched = append(matched, q)
			}
		}
	}
	return matched
}

func candidates(given string, all []string) []string {
	if isPattern(given) {
		return all
	}
	return []string{given}
}

func isPattern(name string) bool { return strings.ContainsAny(name, `*?[\\`) }

func (l *queueList) skip(queue string) bool {
	return slices.ContainsFunc(l.skipped, func(pattern string) bool { return fnmatch.Match(pattern, queue) })
}
