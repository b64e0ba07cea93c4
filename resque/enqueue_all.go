package resque

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/goresque/goresque/internal/store"
)

// How much EnqueueAll sends at once.
const (
	chunkJobs  = 1000
	chunkBytes = 1 << 20
)

// EnqueueAll places jobs on their queues, in their order, in chunks of 1,000 jobs
// or a megabyte, each of which takes one round trip. It returns how many are
// queued: fewer than there are jobs where hooks have vetoed some. ctx is looked at
// before each chunk. The first chunk that fails is the last one, and the error is
// a *BulkError that says how far it came. In inline mode each job is performed in
// turn.
func (c *Client) EnqueueAll(ctx context.Context, jobs []Job) (queued int, err error) {
	b := chunk{client: c, place: map[string]int{}}
	for from := 0; from < len(jobs); {
		b.reset()
		b.run(ctx, jobs[from:])
		queued += b.queued
		if b.err != nil {
			return queued, b.failure(from)
		}
		from += b.taken
	}
	return queued, nil
}

// BulkError says how far EnqueueAll came. The jobs before From are queued, or were
// vetoed; those of To and after it are not.
type BulkError struct {
	// From and To are where in the jobs the chunk that failed begins and ends.
	From, To int

	// Queued is how many of the chunk are queued for certain.
	Queued int

	// Queues are those for which no job of the chunk is queued or, where
	// the error wraps ErrMaybeQueued, it is not known. What went to other queues
	// is queued.
	Queues []string

	Err error
}

func (e *BulkError) Error() string {
	return fmt.Sprintf("resque: enqueueing jobs %d to %d: %v (of these %d are queued)", e.From, e.To-1, e.Err, e.Queued)
}

// Unwrap returns why the chunk failed.
func (e *BulkError) Unwrap() error { return e.Err }

// chunk gathers jobs in one buffer, and sends it.
type chunk struct {
	client  *Client
	buf     []byte // the payloads, one after the other
	batches []store.Batch
	place   map[string]int // in batches, by queue
	taken   int            // jobs that were looked at
	queued  int
	failed  []string // queues
	sent    bool
	err     error
}

func (b *chunk) reset() {
	for i := range b.batches {
		b.batches[i].Payloads = b.batches[i].Payloads[:0]
	}
	b.batches = b.batches[:0]
	clear(b.place)
	b.buf, b.taken, b.queued, b.failed, b.sent = b.buf[:0], 0, 0, nil, false
}

func (b *chunk) full() bool { return b.taken >= chunkJobs || len(b.buf) >= chunkBytes }

// run takes jobs until the chunk is full, and sends it. Those that come after a job
// with hooks are taken and sent inside of them: when the hooks are told that their
// job is queued, it is.
func (b *chunk) run(ctx context.Context, jobs []Job) {
	for len(jobs) > 0 && b.err == nil && !b.full() {
		job := jobs[0]
		jobs = jobs[1:]
		b.taken++
		if !b.client.hooked(job) {
			b.add(ctx, job)
			continue
		}
		if b.runInside(ctx, job, jobs) {
			return
		}
	}
	if b.err == nil {
		b.send(ctx)
	}
}

// runInside takes job through its hooks and, inside of them, what follows it;
// false where a hook has vetoed the job, and what follows is still to be taken.
func (b *chunk) runInside(ctx context.Context, job Job, rest []Job) (went bool) {
	_, err := b.client.enqueueBy(ctx, job, func(within context.Context, job Job) (bool, error) {
		if went { // a hook that has called next before
			return b.client.enqueue(within, job)
		}
		went = true
		if b.add(within, job); b.err == nil {
			b.run(ctx, rest)
		}
		if b.err != nil && (!b.sent || slices.Contains(b.failed, job.Queue)) {
			return false, b.err
		}
		return true, nil
	})
	if b.err == nil {
		b.err = err
	}
	return went
}

// add puts a job into the chunk.
func (b *chunk) add(ctx context.Context, job Job) {
	if b.client.cfg.Inline != nil {
		if _, b.err = b.client.enqueue(ctx, job); b.err == nil {
			b.queued++
		}
		return
	}
	if b.err = job.validate(); b.err != nil {
		return
	}
	from := len(b.buf)
	if b.buf, b.err = b.client.appendPayload(b.buf, job); b.err != nil {
		return
	}
	at, known := b.place[job.Queue]
	if !known {
		at = len(b.batches)
		b.place[job.Queue] = at
		if at < cap(b.batches) {
			b.batches = b.batches[:at+1] // with room for payloads
			b.batches[at].Queue = job.Queue
		} else {
			b.batches = append(b.batches, store.Batch{Queue: job.Queue})
		}
	}
	b.batches[at].Payloads = append(b.batches[at].Payloads, b.buf[from:len(b.buf):len(b.buf)])
}

func (b *chunk) send(ctx context.Context) {
	b.sent = true
	if len(b.batches) == 0 {
		return
	}
	var errs []error
	for i, err := range b.client.store.PushAll(ctx, b.batches) {
		if err != nil {
			errs = append(errs, maybeQueued(err))
			b.failed = append(b.failed, b.batches[i].Queue)
			continue
		}
		b.queued += len(b.batches[i].Payloads)
	}
	b.err = errors.Join(errs...)
}

func (b *chunk) failure(from int) *BulkError {
	e := &BulkError{From: from, To: from + b.taken, Queued: b.queued, Queues: b.failed, Err: b.err}
	if !b.sent {
		for _, batch := range b.batches {
			e.Queues = append(e.Queues, batch.Queue)
		}
	}
	return e
}
