package resque

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// Retries is the set of the jobs that have failed and wait for their next attempt: the
// delayed jobs that have a counter of resque-retry, and the Rails jobs that were performed
// before. It is safe for concurrent use, and reads them in parts.
//
// A job whose next attempt is due at once is not delayed: it is in its queue.
type Retries struct {
	delayed *Delayed
	handler Handler
}

// Retries returns the jobs that wait for their next attempt. h is usually the [Mux] of the
// workers, for the limits of attempts and for classes whose policy has its own ID. It may
// be nil. Retries performs no jobs with it.
func (c *Client) Retries(h Handler) *Retries { return &Retries{delayed: c.Delayed(), handler: h} }

// RetryingJob is a job that waits for its next attempt.
type RetryingJob struct {
	DelayedJob // Due is when the next attempt is due

	// Attempt is the number of the last attempt, which failed; 1 for the first. It is 0
	// if the counter is not a number: then the job is not retried if it fails again.
	Attempt int64

	// Limit is how many attempts there may be. It is -1 if there is no limit, and 0 if
	// it is not known: the class has no retry policy in the Handler, or the limit depends
	// on the error.
	Limit int64

	// Failure is the failure of the last attempt, if Redis has it: policies with
	// retry.LastOnly and the plugin's MultipleWithRetrySuppression keep it there. Its Raw
	// is nil otherwise. Of a large failure, Failure is the beginning: see
	// [FailedJob.IsWhole].
	Failure FailedJob
}

// ErrNotRetrying is wrapped by the error if a delayed job does not wait for another
// attempt: it has not failed before.
var ErrNotRetrying = errors.New("resque: the delayed job does not wait for another attempt")

// GivenUpError is the error of a job that was given up and whose last error is not known.
type GivenUpError struct{ Attempt int64 }

func (e *GivenUpError) Error() string {
	return fmt.Sprintf("given up by request after attempt %d; the error of the attempt is not known", e.Attempt)
}

// ExceptionName returns the exception that the failure is recorded with.
func (e *GivenUpError) ExceptionName() string { return "Resque::GivenUp" }

// Find returns the job with the given id. The error wraps [ErrDelayedChanged] if there is
// no such job, and ErrNotRetrying if it does not wait for another attempt.
func (r *Retries) Find(ctx context.Context, id DelayedID) (RetryingJob, error) {
	i, err := r.delayed.find(ctx, id)
	if err != nil {
		return RetryingJob{}, wrapped(err)
	}
	found, err := r.decoded(ctx, []delayedItem{i})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("resque: delayed job %s: %w", id, unprefixed{ErrNotRetrying})
	}
	if err != nil {
		return RetryingJob{}, err
	}
	return found[0], nil
}

// Jobs returns an iterator over the jobs that match filter, the earliest first, as
// [Delayed.Jobs] does.
func (r *Retries) Jobs(ctx context.Context, filter DelayedFilter) iter.Seq2[RetryingJob, error] {
	return func(yield func(RetryingJob, error) bool) {
		m, err := newDelayedMatcher(filter)
		if err != nil {
			yield(RetryingJob{}, err)
			return
		}
		for w := newDelayedWalk(r.delayed.store, filter); ; {
			part, err := w.part(ctx)
			if err != nil {
				yield(RetryingJob{}, wrapped(err))
				return
			}
			if len(part) == 0 {
				return
			}
			found, err := r.decoded(ctx, m.all(part))
			if err != nil {
				yield(RetryingJob{}, err)
				return
			}
			for _, job := range found {
				if !yield(job, nil) {
					return
				}
			}
		}
	}
}

// Count returns the number of jobs that match filter. It reads every delayed job.
func (r *Retries) Count(ctx context.Context, filter DelayedFilter) (n int64, err error) {
	for _, err := range r.Jobs(ctx, filter) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// RetriesPart is the result of [Retries.Search].
type RetriesPart struct {
	Jobs    []RetryingJob
	Checked int64        // delayed jobs that were compared with the filter
	More    bool         // the search ended before the last delayed job
	Next    DelayedPlace // where to continue, if More
}

// Search returns up to limit jobs that match filter, the earliest first, beginning at
// from. It ends early as [Delayed.Search] does.
func (r *Retries) Search(ctx context.Context, filter DelayedFilter, from DelayedPlace, limit int, budget time.Duration) (RetriesPart, error) {
	var found RetriesPart
	m, err := newDelayedMatcher(filter)
	if err != nil {
		return found, err
	}
	w := newDelayedWalk(r.delayed.store, filter)
	w.startAt(from)
	size := 0
	for begun := time.Now(); ; {
		part, err := w.part(ctx)
		if err != nil || len(part) == 0 {
			return found, wrapped(err)
		}
		jobs, err := r.decoded(ctx, m.all(part))
		if err != nil {
			return found, err
		}
		for _, job := range jobs {
			if len(found.Jobs) == limit {
				found.More, found.Next = true, DelayedPlace{job.ID.Second, job.ID.Position}
				return found, nil
			}
			found.Jobs = append(found.Jobs, job)
			size += len(job.Raw) + len(job.Failure.Raw)
		}
		found.Checked += int64(len(part))
		if time.Since(begun) > budget || size > searchBytes {
			last := part[len(part)-1]
			found.More, found.Next = true, DelayedPlace{last.second, last.position + 1}
			return found, nil
		}
	}
}

// all returns the items that match, parsed.
func (m delayedMatcher) all(part []delayedItem) (found []delayedItem) {
	for _, i := range part {
		if i, ok := m.match(i); ok {
			found = append(found, i)
		}
	}
	return found
}

// retrying is a delayed job with the state of its attempts.
type retrying struct {
	item    delayedItem
	keys    store.RetryKeys // empty if only the payload has the number
	attempt int64
	limit   int64
	last    FailedJob // if it is not in Redis any more
}

// waiting returns those of the items that wait for another attempt, also those whose
// attempts were forgotten because they are equal to another one.
func (r *Retries) waiting(ctx context.Context, items []delayedItem, forgot forgotten) (found []retrying, err error) {
	var counted []retrying
	var keys []store.RetryKeys
	for _, i := range items {
		if i.job.Class != "" {
			one := r.counter(i)
			counted, keys = append(counted, one), append(keys, one.keys)
		}
	}
	if len(counted) == 0 {
		return nil, nil
	}
	numbers, err := r.delayed.store.Attempts(ctx, keys)
	if err != nil {
		return nil, wrapped(err)
	}
	for n, one := range counted {
		text, inPayload := numbers[n], one.attempt > 0
		if text.Text == "" && !text.Other {
			if last := forgot[one.keys]; last.removed {
				one.attempt, one.last = last.attempt, last.failure
				found = append(found, one)
				continue
			}
			one.keys = store.RetryKeys{}
			if inPayload {
				found = append(found, one)
			}
			continue
		}
		one.attempt = 0
		if last, err := strconv.ParseInt(text.Text, 10, 64); err == nil {
			one.attempt = max(last, 0) + 1 // -1 is that of a job that failed before it was performed
		}
		found = append(found, one)
	}
	return found, nil
}

// counter returns the keys of the attempts of a job, and what its payload and its policies
// have about them.
func (r *Retries) counter(i delayedItem) retrying {
	one := r.counterOf(&Payload{Class: i.job.Class, Queue: i.job.Queue, Args: i.job.Args, Raw: i.job.Job(i.raw)})
	one.item = i
	return one
}

// counterOf is counter for a job that need not be delayed.
func (r *Retries) counterOf(given *Payload) (one retrying) {
	class, args := given.Class, given.Args
	if inside, arguments := railsJob(class, args); inside != "" {
		one.attempt = executions(args[0])
		class, args = inside, arguments
	}
	one.keys = r.delayed.store.RetryKeys(class, r.delayed.store.RetryID(args))
	if p, ok := PoliciesOf(r.handler, class).Counting(); ok {
		inside := &Payload{Class: class, Queue: given.Queue, Args: args, Raw: given.Raw}
		job := &policy.Job{Class: class, Queue: given.Queue, Args: args, Payload: given.Raw, Given: inside, Store: r.delayed.store}
		one.keys = guarded(func() store.RetryKeys { // the policy calls functions of the user
			if keys, ok := p.Counter(job); ok {
				return keys
			}
			return one.keys
		}, one.keys)
		one.limit = p.Attempts(given.Raw)
	}
	return one
}

// Attempts are the attempts of a job.
type Attempts struct {
	// Begun is the number of the attempt that runs or, if none does, that failed last; 1 for
	// the first. It is 0 if it is not known: the counter is missing, or is not a number.
	Begun int64

	Limit int64 // as in [RetryingJob]
}

// AttemptsOf returns the attempts of a job that runs in the worker with an id, or of one
// that has failed if worker is empty. A job that is not retried any more has no counter.
// Equal jobs share one.
func (r *Retries) AttemptsOf(ctx context.Context, job *Payload, worker string) (Attempts, error) {
	one := r.counterOf(job)
	numbers, err := r.delayed.store.Attempts(ctx, []store.RetryKeys{one.keys})
	if err != nil {
		return Attempts{}, wrapped(err)
	}
	found := Attempts{Limit: one.limit}
	uncounted := int64(0) // 1 for a running attempt of Go, which counts it when it ends; Ruby does when it begins
	if id, _ := wire.ParseWorkerID(worker); id.Go {
		uncounted = 1
	}
	rails, _ := railsJob(job.Class, job.Args)
	last, err := strconv.ParseInt(numbers[0].Text, 10, 64)
	switch {
	case err == nil:
		found.Begun = max(last, 0) + 1 + uncounted
	case numbers[0].Text != "" || numbers[0].Other: // not a number
	case rails != "": // the payload has the number of those before it
		found.Begun = one.attempt + 1
	case uncounted == 1 && one.limit != 0:
		found.Begun = 1
	}
	return found, nil
}

// executions returns how often the Rails job with this data was performed.
func executions(data []byte) int64 {
	spans, err := rubyjson.Spans(data, "executions")
	var n float64
	if err != nil || json.Unmarshal(spans[0].Of(data), &n) != nil {
		return 0
	}
	return int64(max(0, min(n, 1<<40)))
}

// shownFailure is how many bytes of the failure of an attempt are read to be shown.
const shownFailure = 64 << 10

// decoded returns those of the items that wait for another attempt, with their failures.
func (r *Retries) decoded(ctx context.Context, items []delayedItem) ([]RetryingJob, error) {
	found, err := r.waiting(ctx, items, nil)
	if err != nil {
		return nil, err
	}
	failures, err := r.failures(ctx, found, shownFailure)
	if err != nil {
		return nil, err
	}
	jobs := make([]RetryingJob, len(found))
	for n, one := range found {
		jobs[n] = RetryingJob{DelayedJob: one.item.decoded(), Attempt: one.attempt, Limit: one.limit, Failure: failures[n]}
	}
	return jobs, nil
}

// failures returns the failures of the last attempts, at most the first bytes of each.
func (r *Retries) failures(ctx context.Context, found []retrying, most int) ([]FailedJob, error) {
	var keys []store.RetryKeys
	var of []int
	for n, one := range found {
		if one.keys != (store.RetryKeys{}) {
			keys, of = append(keys, one.keys), append(of, n)
		}
	}
	failures := make([]FailedJob, len(found))
	for n, one := range found {
		failures[n] = one.last
	}
	if len(keys) == 0 {
		return failures, nil
	}
	texts, err := r.delayed.store.LastFailures(ctx, keys, most+1)
	if err != nil {
		return nil, wrapped(err)
	}
	for n, text := range texts {
		switch raw := []byte(text.Text); {
		case len(raw) == 0:
		case len(raw) > most:
			failures[of[n]] = beginningOf(raw[:most]).job(FailureID{}, int64(len(raw)))
		default:
			failures[of[n]] = parseRecord(raw).job(FailureID{}, int64(len(raw)))
		}
	}
	return failures, nil
}
