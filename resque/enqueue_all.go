package resque

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// Limits of one chunk of EnqueueAll.
const (
	chunkJobs  = 1000
	chunkBytes = 1 << 20
)

// EnqueueAll enqueues jobs in order, in chunks of 1,000 jobs or a megabyte. Each chunk
// takes one round trip; its delayed jobs take another one, and a third if they depend on
// Redis's clock, see [Job.In]. The jobs with a unique.Policy also take one. EnqueueAll returns the receipt of each job, even if it returns
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
// jobs before From are enqueued or vetoed. The jobs from To on are not enqueued.
type BulkError struct {
	// From and To are the indexes of the jobs in the chunk that failed: jobs[From:To].
	From, To int

	// Queued is the number of jobs of the chunk that are certainly queued or delayed.
	Queued int

	// Queues are the queues to which no job of the chunk was added. If the error wraps
	// ErrMaybeQueued, the jobs may have been added. The chunk's jobs for other queues
	// are queued. This does not apply to jobs with a time or with a unique.Policy, and
	// to the jobs after the latter: look at their receipts to see which of them are
	// certainly delayed or queued.
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
	delays  []store.Delayed
	delayAt []int           // indexes of the delays' receipts
	with    []store.Pushing // jobs with policies, and the jobs of their queues that follow
	withAt  []int           // indexes of their receipts
	now     time.Time       // on Redis's clock, if a delay needs it
	taken   int             // jobs that are in the chunk or were vetoed
	failed  []string        // queues whose jobs could not be added
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
	b.delays, b.delayAt, b.now = b.delays[:0], b.delayAt[:0], time.Time{}
	b.with, b.withAt = b.with[:0], b.withAt[:0]
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
		if b.err != nil && (!b.sent || b.receipts[at].State == "" || job.due == nil && slices.Contains(b.failed, job.Queue)) {
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
	if job.hooks.pushing() != nil || job.due == nil && len(b.with) > 0 { // later jobs stay behind
		b.addWith(ctx, at, job)
		return
	}
	if job.due != nil {
		b.addDelayed(ctx, at, job)
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

// addWith adds a job that is pushed with what policies write.
func (b *chunk) addWith(ctx context.Context, at int, job Job) {
	var p store.Pushing
	if p, b.buf, b.err = b.client.appendPushing(ctx, b.buf, job, &b.now); b.err != nil {
		return
	}
	b.with, b.withAt = append(b.with, p), append(b.withAt, at)
	b.receipts[at] = Receipt{State: Queued, Queue: job.Queue}
}

func (b *chunk) addDelayed(ctx context.Context, at int, job Job) {
	due, err := b.client.dueTime(ctx, job, &b.now)
	if err != nil {
		b.err = err
		return
	}
	var d store.Delayed
	if b.buf, d, b.err = b.client.appendDelayed(b.buf, job, due); b.err != nil {
		return
	}
	b.delays, b.delayAt = append(b.delays, d), append(b.delayAt, at)
	b.receipts[at] = delayReceipt(d, true)
}

func (b *chunk) send(ctx context.Context) {
	b.sent = true
	var errs []error
	if len(b.batches) > 0 {
		for i, err := range b.client.store.PushAll(ctx, b.batches) {
			if err != nil {
				errs = append(errs, maybeQueued(err))
			}
			if err != nil && !notReplicated(err) {
				b.failed = append(b.failed, b.batches[i].Queue)
			}
		}
	}
	if len(b.with) > 0 {
		errs = append(errs, b.sendWith(ctx)...)
	}
	if len(b.delays) > 0 {
		errs = append(errs, b.sendDelays(ctx)...)
	}
	b.err = errors.Join(errs...)
}

// sendWith pushes the jobs that have policies and sets their receipts. It returns each
// error once.
func (b *chunk) sendWith(ctx context.Context) (errs []error) {
	pushed, failed := b.client.store.PushAllWith(ctx, b.with)
	for i, at := range b.withAt {
		if b.receipts[at] = (Receipt{}); failed[i] == nil || notReplicated(failed[i]) {
			b.receipts[at] = pushReceipt(b.with[i], pushed[i])
		}
		if failed[i] == nil {
			continue
		}
		errs = appendOnce(errs, maybeQueued(failed[i]))
	}
	return errs
}

func appendOnce(errs []error, err error) []error {
	if slices.ContainsFunc(errs, func(e error) bool { return e.Error() == err.Error() }) {
		return errs
	}
	return append(errs, err)
}

// sendDelays delays the jobs that have a time and sets their receipts. It returns each
// error once.
func (b *chunk) sendDelays(ctx context.Context) (errs []error) {
	delayed, failed := b.client.store.DelayAll(ctx, b.delays)
	for i, at := range b.delayAt {
		if b.receipts[at] = (Receipt{}); failed[i] == nil || notReplicated(failed[i]) {
			b.receipts[at] = delayReceipt(b.delays[i], delayed[i])
		}
		if failed[i] == nil {
			continue
		}
		errs = appendOnce(errs, maybeQueued(failed[i]))
	}
	return errs
}

// failure returns the error of a chunk that failed and clears the receipts of jobs that
// were not queued.
func (b *chunk) failure(from int) *BulkError {
	e := &BulkError{From: from, To: from + b.taken, Queues: b.failed, Err: b.err}
	if !b.sent {
		for _, batch := range b.batches {
			e.Queues = append(e.Queues, batch.Queue)
		}
		for _, at := range slices.Concat(b.delayAt, b.withAt) {
			b.receipts[at] = Receipt{}
		}
	}
	taken := b.receipts[:b.taken]
	for i, receipt := range taken {
		if receipt.State == Queued && slices.Contains(e.Queues, receipt.Queue) && !slices.Contains(b.delayAt, i) && !slices.Contains(b.withAt, i) {
			taken[i] = Receipt{}
		}
	}
	e.Queued = taken.Enqueued()
	return e
}
