package demo

import (
	"context"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/goresque/goresque/resque"
)

// fleet knows whether anybody works our queue, from an answer of Redis that may
// be a second old.
type fleet struct {
	jobs *resque.Client

	mu       sync.Mutex
	asked    time.Time
	unserved bool
}

// nobody reports that no worker serves the queue. Where Redis does not answer
// nothing is known, and nothing is said.
func (f *fleet) nobody(ctx context.Context) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.asked) < time.Second {
		return f.unserved
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	workers, err := f.jobs.Workers(ctx)
	f.asked, f.unserved = time.Now(), err == nil
	for _, w := range workers {
		// A worker beats each minute. One that is silent was killed.
		if w.Silence < 3*time.Minute && serves(w.Queues, Exporter.Queue()) {
			f.unserved = false
		}
	}
	return f.unserved
}

// serves tells whether a worker's list of queues has one in it: by name or
// pattern, and not excluded.
func serves(patterns []string, queue string) (served bool) {
	for _, pattern := range patterns {
		name, excluded := strings.CutPrefix(pattern, "!")
		match, _ := path.Match(name, queue)
		if match && excluded {
			return false
		}
		served = served || match
	}
	return served
}
