package resque

import (
	"slices"
	"strings"

	"github.com/goresque/goresque/internal/fnmatch"
)

// Serving returns how many registered workers take jobs from each queue of the
// snapshot. Queues that no worker serves are missing.
func (s Snapshot) Serving() map[string]int {
	serving := map[string]int{}
	byList := map[string]int{} // many workers have the same list of queues
	for _, w := range s.Workers {
		if w.Registered {
			byList[strings.Join(w.Queues, ",")]++
		}
	}
	for list, workers := range byList {
		given := strings.Split(list, ",")
		for _, q := range s.Queues {
			if serves(given, q.Queue) {
				serving[q.Queue] += workers
			}
		}
	}
	return serving
}

// serves reports whether a worker with these queues, patterns and exclusions takes
// jobs from a queue. Go workers register only their patterns.
func serves(given []string, queue string) bool {
	excluded := slices.ContainsFunc(given, func(g string) bool {
		pattern, ok := strings.CutPrefix(g, "!")
		return ok && fnmatch.Match(pattern, queue)
	})
	return !excluded && slices.ContainsFunc(given, func(g string) bool { return g == queue || fnmatch.Match(g, queue) })
}
