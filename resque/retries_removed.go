package resque

import (
	"context"
	"fmt"

	"github.com/goresque/goresque/internal/store"
)

// forgetAttempts removes the counters of the attempts of jobs that were removed from a queue,
// or from the delayed jobs, so that the next equal job begins to count again. h is the Mux that
// has their classes; it may be nil.
//
// Ruby: cancel_retry of resque-retry's front end. Resque.remove_delayed and Resque.dequeue
// leave the counter, so that an equal job that is enqueued later has fewer attempts.
func forgetAttempts(ctx context.Context, from *store.Store, h Handler, jobs ...*Payload) error {
	retries := &Retries{delayed: &Delayed{store: from}, handler: h}
	var keys []store.RetryKeys
	seen := map[store.RetryKeys]bool{}
	for _, job := range jobs {
		if one := retries.counterOf(job).keys; !seen[one] {
			seen[one] = true
			keys = append(keys, one)
		}
	}
	if err := from.ForgetRetries(ctx, keys); err != nil {
		return fmt.Errorf("resque: the jobs are removed, but the counters of their attempts stay until they expire: %w", err)
	}
	return nil
}

// parsedJobs returns the jobs in payloads of a queue, without those that cannot be read: these
// have no class, and no counter.
func parsedJobs(queue string, payloads ...[]byte) (jobs []*Payload) {
	for _, payload := range payloads {
		if job, err := ParsePayload(queue, payload); err == nil {
			jobs = append(jobs, job)
		}
	}
	return jobs
}
