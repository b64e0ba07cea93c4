// Package fleet looks at the workers of a queue through Resque: whether one serves
// the queue, and where the job of each export is.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goresque/goresque/resque"
)

// mostRead is how many queued jobs are looked at.
const mostRead = 10_000

// Fleet is the workers of one queue.
type Fleet struct {
	Client  *resque.Client
	Queue   string
	Classes []string    // of the jobs whose one argument is an export's id
	Mux     *resque.Mux // reads the jobs

	mu       sync.Mutex
	asked    time.Time
	unserved bool
}

// Unserved reports whether no worker serves the queue, as it was a second ago at
// most. It is false if Redis does not answer, because then nothing is known.
func (f *Fleet) Unserved(ctx context.Context) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.asked) < time.Second {
		return f.unserved
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	workers, err := f.Client.Workers(ctx)
	f.asked, f.unserved = time.Now(), err == nil
	for _, w := range workers {
		// A worker beats each minute. One that is silent was killed.
		if w.Silence < 3*time.Minute && serves(w.Queues, f.Queue) {
			f.unserved = false
		}
	}
	return f.unserved
}

// serves reports whether a worker's list of queues has a queue in it: by name or
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

// Jobs is where the exports' jobs are, by the exports' ids.
type Jobs struct {
	Waiting map[int64]bool
	Running map[int64]resque.RegisteredWorker
	Cut     bool // more jobs wait than were read
}

// Jobs looks up the exports' jobs. It reads the first 10,000 queued jobs.
func (f *Fleet) Jobs(ctx context.Context) (Jobs, error) {
	found := Jobs{Waiting: map[int64]bool{}, Running: map[int64]resque.RegisteredWorker{}}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	// The queue first: a job that a worker takes meanwhile is running after that.
	read := 0
	for job, err := range f.Client.Peek(ctx, f.Queue, 0, mostRead) {
		if bad := (*resque.UnreadableError)(nil); err != nil && !errors.As(err, &bad) {
			return found, fmt.Errorf("looking for exports' jobs: %w", err)
		}
		read++
		if id, ok := f.exportID(job); ok {
			found.Waiting[id] = true
		}
	}
	found.Cut = read == mostRead
	workers, err := f.Client.Working(ctx)
	if err != nil {
		return found, fmt.Errorf("looking for exports' workers: %w", err)
	}
	for _, w := range workers {
		if id, ok := f.exportID(w.Job); ok {
			found.Running[id] = w
		}
	}
	return found, nil
}

// exportID returns the export that a job, Resque's or Rails', is for.
func (f *Fleet) exportID(job *resque.Payload) (id int64, ok bool) {
	inside, err := f.Mux.Unwrap(job)
	if err != nil || !slices.Contains(f.Classes, inside.Class) {
		return 0, false
	}
	return id, inside.Bind(&id) == nil
}
