// Package fleet finds out from Resque whether a worker serves the queue, and whether
// the job of each export waits or runs.
package fleet

import (
	"cmp"
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

// mostRead is the number of queued jobs that Jobs reads.
const mostRead = 10_000

// Fleet is the workers of one queue.
type Fleet struct {
	Client  *resque.Client
	Queue   string
	Classes []string    // the classes of the exports' jobs, whose one argument is the export's id
	Mux     *resque.Mux // unwraps the jobs of Rails
	Job     func(id int64) resque.Job
	Stored  func(ctx context.Context) (map[int64]bool, error) // the exports whose jobs are not in Redis yet
	Wait    time.Duration                                     // for Redis at most; 0 means 5 s, and 1 s in Unserved

	mu       sync.Mutex
	asked    time.Time
	unserved bool
}

// Unserved reports whether no worker serves the queue. Its answer is at most a
// second old. It returns false if Redis does not answer.
func (f *Fleet) Unserved(ctx context.Context) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.asked) < time.Second {
		return f.unserved
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(f.Wait, time.Second))
	defer cancel()
	workers, err := f.Client.Workers(ctx)
	f.asked, f.unserved = time.Now(), err == nil
	for _, w := range workers {
		// A worker sends a heartbeat each minute. Without heartbeats it was killed.
		if w.Silence < 3*time.Minute && serves(w.Queues, f.Queue) {
			f.unserved = false
		}
	}
	return f.unserved
}

// serves reports whether a worker's list of queues includes a queue by name or
// pattern, and does not exclude it.
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

// Delayed reports whether the job of an export is delayed.
func (f *Fleet) Delayed(ctx context.Context, id int64) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(f.Wait, 5*time.Second))
	defer cancel()
	at, err := f.Client.ScheduledAt(ctx, f.Job(id))
	if err != nil {
		return false, fmt.Errorf("looking for the delayed job of export %d: %w", id, err)
	}
	return len(at) > 0, nil
}

// Jobs has the ids of the exports whose jobs wait or run.
type Jobs struct {
	Waiting map[int64]bool
	Running map[int64]resque.RegisteredWorker
	Cut     bool // more jobs may wait than Waiting shows
}

// Jobs finds the exports' jobs in the database, in the queue and in the workers' records. It
// reads the first 10,000 queued jobs.
func (f *Fleet) Jobs(ctx context.Context) (Jobs, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(f.Wait, 5*time.Second))
	defer cancel()
	// Read in the order in which a job moves: one that moves meanwhile is found later.
	stored, err := f.Stored(ctx)
	if err != nil {
		return Jobs{}, err
	}
	found := Jobs{Waiting: stored, Running: map[int64]resque.RegisteredWorker{}}
	read := 0
	for job, err := range f.Client.Peek(ctx, f.Queue, 0, mostRead) {
		if bad := (*resque.UnreadableError)(nil); err != nil && !errors.As(err, &bad) {
			return found, fmt.Errorf("reading the queue: %w", err)
		}
		read++
		if id, ok := f.exportID(job); ok {
			found.Waiting[id] = true
		}
	}
	found.Cut = read == mostRead
	workers, err := f.Client.Working(ctx)
	if err != nil {
		return found, fmt.Errorf("reading the workers: %w", err)
	}
	for _, w := range workers {
		if id, ok := f.exportID(w.Job); ok {
			found.Running[id] = w
		}
	}
	return found, nil
}

// exportID returns the id of the export that a job, plain or from Rails, is for.
func (f *Fleet) exportID(job *resque.Payload) (id int64, ok bool) {
	inside, err := f.Mux.Unwrap(job)
	if err != nil || !slices.Contains(f.Classes, inside.Class) {
		return 0, false
	}
	return id, inside.Bind(&id) == nil
}
