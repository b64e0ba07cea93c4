package resque

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/goresque/goresque/internal/store"
)

// Limits of one chunk of EnqueueAll.
const (
	chunkJobs  = 1000
	chunkBytes = 1 << 20
)

// EnqueueAll enqueues jobs in order, in chunks of 1,000 jobs or a megabyte. Each chunk
// takes one round trip. EnqueueAll returns the receipt of each job, even if it returns
// an error: see [Receipts.Enqueued]. It checks ctx before each chunk and stops after the
// first chunk that fails; the error is then a [*BulkError]. An inline client performs
// the jobs one after the other.
func (c *Client) EnqueueAll(ctx context.Context, jobs []Job) (Receipts, error) {
	receipts := make(Receipts, len(jobs))
	b := chunk{client: c, place: map[string]int{}}
	for from := 0; from < len(jobs); {
		b.reset()
		b.receipts = receipts[from:]
		b.run(ctx, jobs[from:])
		if b.err != nil {
			return receipts, b.failure(from)
		}
		from += b.taken
	}
	return receipts, nil
}

// BulkError reports which jobs [Client.EnqueueAll] has enqueued before it failed. The
// jobs before From are queued or vetoed. The jobs from To on are not queued.
type BulkError struct {
	// From and To are the indexes of the jobs in the chunk that failed: jobs[From:To].
	From, To int

	// Queued is the number of jobs of the chunk that are certainly queued.
	Queued int

	// Queues are the queues to which no job of the chunk was added. If the error wraps
	// ErrMaybeQueued, the jobs may have been added. The chunk's jobs for other queues
	// are queued.
	Queues []string

	// Err is the reason.
	Err error
}

func (e *BulkError) Error() string {
	return fmt.Sprintf("resque: enqueueing jobs %d to %d: %v (%d of them are queued)", e.From, e.To-1, e.Err, e.Queued)
}

// Unwrap returns e.Err.
func (e *BulkError) Unwrap() error { return e.Err }

// chunk collects payloads in one buffer and sends them to Redis.
type chunk struct {
	client  *Client
	buf     []byte // the payloads, one after the other
	batches []store.Batch
	place   map[string]int // index in batches, by queue
	taken   int            // jobs that are in the chunk or were vetoed
	failed  []string       // queues whose jobs could not be added
	sent    bool
	err     error

	receipts Receipts // receipts[0] belongs to the chunk's first job
}

func (b *chunk) reset() {
	for i := range b.batches {
		b.batches[i].Payloads = b.batches[i].Payloads[:0]
	}
	b.batches = b.batches[:0]
	clear(b.place)
	b.buf, b.taken, b.failed, b.sent = b.buf[:0], 0, nil, false
}

func (b *chunk) full() bool { return b.taken >= chunkJobs || len(b.buf) >= chunkBytes }

// run adds jobs until the chunk is full, and sends it. The jobs after one with hooks
// are added and sent inside its hooks. When next returns to the hooks, their job has
// therefore been sent.
func (b *chunk) run(ctx context.Context, jobs []Job) {
	for len(jobs) > 0 && b.err == nil && !b.full() {
		job := jobs[0]
		jobs = jobs[1:]
		b.taken++
		if !b.client.hooked(job) {
			b.add(ctx, b.taken-1, job)
			continue
		}
		if b.runInside(ctx, b.taken-1, job, jobs) {
			return
		}
	}
	if b.err == nil {
		b.send(ctx)
	}
}

// runInside calls the hooks of job, which has index at in the chunk, and adds job and
// the jobs after it inside of them. It returns false if a hook has vetoed job. The
// caller must then add the jobs after it.
func (b *chunk) runInside(ctx context.Context, at int, job Job, rest []Job) (went bool) {
	receipt, err := b.client.enqueueBy(ctx, job, func(within context.Context, job Job) (Receipt, error) {
		if went { // the hook has called next more than once
			return b.client.enqueue(within, job)
		}
		went = true
		if b.add(within, at, job); b.err == nil {
			b.run(ctx, rest)
		}
		if b.err != nil && (!b.sent || slices.Contains(b.failed, job.Queue)) {
			return Receipt{}, b.err
		}
		return b.receipts[at], nil
	})
	if !went {
		b.receipts[at] = receipt
	}
	if b.err == nil {
		b.err = err
	}
	return went
}

// add adds a job to the chunk and sets its receipt to Queued. If sending fails, failure
// clears the receipt.
func (b *chunk) add(ctx context.Context, at int, job Job) {
	if b.client.cfg.Inline != nil {
		b.receipts[at], b.err = b.client.enqueue(ctx, job)
		return
	}
	if b.err = job.validate(); b.err != nil {
		return
	}
	from := len(b.buf)
	if b.buf, b.err = b.client.appendPayload(b.buf, job); b.err != nil {
		return
	}
	in, known := b.place[job.Queue]
	if !known {
		in = len(b.batches)
		b.place[job.Queue] = in
		if in < cap(b.batches) {
			b.batches = b.batches[:in+1] // reuses the capacity of its Payloads
			b.batches[in].Queue = job.Queue
		} else {
			b.batches = append(b.batches, store.Batch{Queue: job.Queue})
		}
	}
	b.batches[in].Payloads = append(b.batches[in].Payloads, b.buf[from:len(b.buf):len(b.buf)])
	b.receipts[at] = Receipt{State: Queued, Queue: job.Queue}
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
		}
	}
	b.err = errors.Join(errs...)
}

// failure returns the error of a chunk that failed and clears the receipts of jobs that
// were not queued.
func (b *chunk) failure(from int) *BulkError {
	e := &BulkError{From: from, To: from + b.taken, Queues: b.failed, Err: b.err}
	if !b.sent {
		for _, batch := range b.batches {
			e.Queues = append(e.Queues, batch.Queue)
		}
	}
	taken := b.receipts[:b.taken]
	for i, receipt := range taken {
		if receipt.State == Queued && slices.Contains(e.Queues, receipt.Queue) {
			taken[i] = Receipt{}
		}
	}
	e.Queued = taken.Enqueued()
	return e
}
