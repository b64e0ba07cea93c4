package web

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goresque/goresque/resque"
)

// failing counts the newest failures by queue, for the tables of queues. Requests share a
// count until it is old.
type failing struct {
	mu    sync.Mutex
	last  failureCount
	taken time.Time
}

// failureCount is the number of failures by queue, among some of the newest.
type failureCount struct {
	byQueue map[string]int64
	among   int64
}

const (
	// failingSample is the number of failures that are counted, and failingAge the greatest
	// age of a count.
	failingSample = 500
	failingAge    = 10 * time.Second
)

// countFailing returns the failures by queue among the newest ones. With Ruby's multiple
// failure queues, each queue has its own list, whose length is exact.
//
// Ruby: Resque::Failure::RedisMultiQueue.
func (h *Dashboard) countFailing(ctx context.Context, snap moment) (failureCount, error) {
	if last, ok := h.failing.fresh(); ok {
		return last, nil
	}
	counted := failureCount{byQueue: map[string]int64{}}
	for _, list := range snap.Failures {
		if list.List != resque.FailedList {
			counted.byQueue[strings.TrimSuffix(list.List, "_failed")] += list.Size
			continue
		}
		if list.Size == 0 {
			continue
		}
		newest := min(list.Size, failingSample)
		jobs, err := h.failures.Preview(ctx, list.List, list.Size-newest, newest, pageBytes)
		if err != nil {
			return failureCount{}, err
		}
		for _, job := range jobs {
			if job.IsWhole() || job.Queue != "" {
				counted.byQueue[job.Queue]++
				counted.among++
			}
		}
	}
	h.failing.keep(counted)
	return counted, nil
}

func (f *failing) fresh() (last failureCount, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, time.Since(f.taken) < failingAge
}

func (f *failing) keep(counted failureCount) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last, f.taken = counted, time.Now()
}

// failuresOf returns the newest failures of a class, among as many as countFailing counts.
func (h *Dashboard) failuresOf(ctx context.Context, snap moment, class string) (rows []failureRow, err error) {
	for _, list := range snap.Failures {
		if list.List != resque.FailedList || list.Size == 0 {
			continue
		}
		newest := min(list.Size, failingSample)
		jobs, err := h.failures.Preview(ctx, list.List, list.Size-newest, newest, pageBytes)
		if err != nil {
			return nil, err
		}
		for _, job := range slices.Backward(jobs) {
			if len(rows) == failuresShown || job.IsWhole() && readJob(job.Payload).Class != class {
				continue
			}
			if row := h.failureRow(job); row.Job.Class == class {
				rows = append(rows, row)
			}
		}
	}
	return rows, nil
}

// failuresShown is the number of failures that the page of a running job shows.
const failuresShown = 5

// forget makes the next page count again.
func (f *failing) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken = time.Time{}
}
