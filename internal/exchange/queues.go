package exchange

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goresque/goresque/internal/fnmatch"
)

// lister returns the names of all known queues.
type lister interface {
	Queues(ctx context.Context) ([]string, error)
}

// queueList turns the names and patterns of a worker into the names of queues to look
// at, in order. Only the goroutine that makes the call uses it, except for forget and
// dynamic.
type queueList struct {
	given   []string
	skipped []string
	dynamic bool // the names depend on the known queues
	store   lister
	maxAge  time.Duration // of known
	known   []string      // the result of the last look
	asked   time.Time     // when the known queues were last read
	fresh   bool          // the last look read the known queues, or did not need them
	stale   atomic.Bool   // the next look must read the known queues
}

// newQueueList separates exclusions from names and patterns.
//
// Ruby: Resque::Worker#queues=.
func newQueueList(queues []string, store lister, maxAge time.Duration) *queueList {
	l := &queueList{given: Names(queues), store: store, maxAge: maxAge}
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

// Names returns the queues that are not exclusions.
func Names(queues []string) []string {
	return slices.DeleteFunc(slices.Clone(queues), func(q string) bool {
		return strings.HasPrefix(q, "!")
	})
}

// look returns the queues to look at now. Patterns are matched against the known queues
// again if the last list is older than maxAge.
//
// Ruby: Resque::Worker#queues.
func (l *queueList) look(ctx context.Context) ([]string, error) {
	l.fresh = !l.dynamic || l.known == nil || time.Since(l.asked) >= l.maxAge || l.stale.Load()
	if !l.dynamic || !l.fresh {
		return l.known, nil
	}
	l.stale.Store(false)
	all, err := l.store.Queues(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the queues for the patterns: %w", err)
	}
	l.known, l.asked = l.match(all), time.Now()
	return l.known, nil
}

// forget makes the next look read the known queues again. It is safe for concurrent
// use.
func (l *queueList) forget() { l.stale.Store(true) }

// match returns the queues that the names and patterns match, without duplicates: in
// the order of the names and patterns, and alphabetically within a pattern. A name
// always matches itself, so that the first job of a queue is found at once, even if the
// queue is not known.
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
