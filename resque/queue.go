package resque

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/goresque/goresque/internal/rubyjson"
)

// Push appends payload to queue unchanged. The payload must be JSON. Push calls no
// hooks, and it does not perform the job in inline mode. It returns the same errors
// as [Client.Enqueue].
//
// Ruby: Resque.push, which encodes its argument.
func (c *Client) Push(ctx context.Context, queue string, payload []byte) error {
	if err := validQueue(queue); err != nil {
		return err
	}
	if err := rubyjson.Valid(payload); err != nil {
		return &UnreadableError{Queue: queue, Payload: payload, Err: err}
	}
	if err := c.store.Push(ctx, queue, payload); err != nil {
		return fmt.Errorf("resque: %w", maybeQueued(err))
	}
	return nil
}

// Pop removes and returns the next job of queue; ok is false if the queue is empty.
// Redis no longer holds the job, so it is lost if the caller fails to perform it;
// workers reserve jobs in a way that does not lose them. If the payload cannot be
// read, the error is an [*UnreadableError], which holds the payload.
//
// Ruby: Resque.pop, Resque.reserve and Resque::Job.reserve.
func (c *Client) Pop(ctx context.Context, queue string) (job *Payload, ok bool, err error) {
	payload, ok, err := c.store.Pop(ctx, queue)
	if err != nil || !ok {
		return nil, false, err
	}
	job, err = ParsePayload(queue, payload)
	return job, err == nil, err
}

// Size returns the number of jobs waiting in queue.
//
// Ruby: Resque.size.
func (c *Client) Size(ctx context.Context, queue string) (int64, error) {
	return c.store.Size(ctx, queue)
}

// Queues returns the names of all known queues, sorted. A queue is known from its
// first job until it is removed, even while it is empty.
//
// Ruby: Resque.queues.
func (c *Client) Queues(ctx context.Context) ([]string, error) {
	names, err := c.store.Queues(ctx)
	slices.Sort(names)
	return names, err
}

// RemoveQueue removes queue and all its jobs. It returns the number of jobs, and
// whether the queue existed. If the queue is paused, it stays paused.
//
// Ruby: Resque.remove_queue.
func (c *Client) RemoveQueue(ctx context.Context, queue string) (jobs int64, known bool, err error) {
	waits, err := hasPending(ctx, c.store)
	locks := c.locks()
	if err == nil {
		err = locks.present(ctx)
	}
	if err != nil {
		return 0, false, err
	}
	if waits || locks.any() { // members of batches are counted, and locks freed
		p, err := c.Queue(queue).RemoveMatching(ctx, RemoveOptions{}, func(QueuedJob) bool { return true }, nil)
		if err != nil {
			return p.Done, p.Done > 0, err
		}
		defer func() { jobs += p.Done; known = known || jobs > 0 }()
	}
	known, jobs, err = c.store.RemoveQueue(ctx, queue)
	return jobs, known || jobs > 0, err
}

// peekPart is the number of jobs read at a time.
const peekPart = 200

// Peek returns an iterator over up to count jobs of queue, starting at position
// start. It does not remove them. Position 0 is the next job that a worker takes. A
// negative start counts from the end: -1 is the last job. A negative count means all
// jobs that follow. Jobs are read on demand, in parts, so that a queue may have any
// length. Jobs that move during the iteration may be missed or yielded twice.
//
// If a payload cannot be read, Peek yields an [*UnreadableError] with a job that has
// only Queue and Raw, and continues. It ends after any other error.
//
// Ruby: Resque.peek, whose count defaults to 1.
func (c *Client) Peek(ctx context.Context, queue string, start, count int) iter.Seq2[*Payload, error] {
	return func(yield func(*Payload, error) bool) {
		at := int64(start)
		if start < 0 {
			size, err := c.store.Size(ctx, queue)
			if err != nil {
				yield(nil, err)
				return
			}
			at = max(size+at, 0)
		}
		for left := int64(count); left != 0; {
			n := int64(peekPart)
			if left > 0 {
				n = min(left, peekPart)
			}
			part, size, err := c.store.QueuePart(ctx, queue, at, n)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range part {
				if !yield(readWaiting(queue, e.Raw)) {
					return
				}
			}
			at += int64(len(part))
			if len(part) == 0 || at >= size {
				return
			}
			if left > 0 {
				left -= int64(len(part))
			}
		}
	}
}

// readWaiting is like ParsePayload, but also returns a job, with only Queue and Raw,
// if the payload cannot be read.
func readWaiting(queue string, payload []byte) (*Payload, error) {
	job, err := ParsePayload(queue, payload)
	if err != nil {
		return &Payload{Queue: queue, Raw: payload}, err
	}
	return job, nil
}

// readBeginning returns the job of a payload. If raw is only the beginning of it, the job
// has only Queue, Class and Raw. An unreadable job has no class.
func readBeginning(queue string, raw []byte, size int64) *Payload {
	if int64(len(raw)) < size {
		return &Payload{Queue: queue, Class: classOfBeginning(raw), Raw: raw}
	}
	job, _ := readWaiting(queue, raw)
	return job
}

// QueueSizes returns the number of waiting jobs by queue, in two round trips. If some
// queues cannot be read, it returns the others and an error.
//
// Ruby: Resque.queue_sizes.
func (c *Client) QueueSizes(ctx context.Context) (map[string]int64, error) {
	sizes := map[string]int64{}
	var wrong error
	for sample, err := range c.samples(ctx, 0) {
		switch {
		case err == nil:
			sizes[sample.Queue] = sample.Size
		case sample.Queue == "":
			return nil, err
		default:
			wrong = errors.Join(wrong, err)
		}
	}
	return sizes, wrong
}

// Sample is the size of a queue and its first jobs.
type Sample struct {
	Queue string
	Size  int64

	// Jobs are the next jobs that workers take. A job whose payload cannot be read
	// has an empty Class, and only Queue and Raw are set.
	Jobs []*Payload
}

// SampleQueues returns an iterator over all known queues, sorted by name, with up to
// size jobs of each. Queues are read in parts, so that there may be any number of
// them. If one queue cannot be read, SampleQueues yields its name with the error and
// continues. It ends after an error without the name of a queue.
//
// Ruby: Resque.sample_queues, whose size defaults to 1000.
func (c *Client) SampleQueues(ctx context.Context, size int) iter.Seq2[Sample, error] {
	return c.samples(ctx, max(size, 0))
}

// samples reads the queues in parts of about 10,000 jobs.
func (c *Client) samples(ctx context.Context, size int) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		queues, err := c.Queues(ctx)
		if err != nil {
			yield(Sample{}, err)
			return
		}
		atOnce := max(len(queues), 1)
		if size > 0 {
			atOnce = max(10_000/size, 1)
		}
		for part := range slices.Chunk(queues, atOnce) {
			samples, err := c.store.Samples(ctx, part, size)
			if err != nil {
				yield(Sample{}, err)
				return
			}
			for _, s := range samples {
				sample := Sample{Queue: s.Queue, Size: s.Size}
				for _, payload := range s.Payloads {
					job, _ := readWaiting(s.Queue, payload) // an unreadable job has no class
					sample.Jobs = append(sample.Jobs, job)
				}
				if !yield(sample, s.Err) {
					return
				}
			}
		}
	}
}

// Pause stops all workers of the namespace, Go's and Ruby's, from taking jobs.
// Running jobs continue.
//
// Ruby: the key pause-all-workers, which Resque::Worker#paused? reads.
func (c *Client) Pause(ctx context.Context) error { return c.store.PauseAll(ctx, true) }

// Resume lets workers take jobs again after [Client.Pause]. Queues paused by
// [Client.PauseQueue] stay paused.
func (c *Client) Resume(ctx context.Context) error { return c.store.PauseAll(ctx, false) }

// PauseQueue stops workers from taking jobs from queue: Go's workers always, Ruby's
// workers if they use the resque-pause plugin.
func (c *Client) PauseQueue(ctx context.Context, queue string) error {
	return c.store.PauseQueue(ctx, queue, true)
}

// ResumeQueue lets workers take jobs from queue again.
func (c *Client) ResumeQueue(ctx context.Context, queue string) error {
	return c.store.PauseQueue(ctx, queue, false)
}

// Pauses is what is paused: see [Client.Pause] and [Client.PauseQueue].
type Pauses struct {
	All    bool     // all workers
	Queues []string // the known queues that are paused by name, in order
}

// Pauses returns what is paused, in two round trips.
func (c *Client) Pauses(ctx context.Context) (Pauses, error) {
	p, err := c.store.Pauses(ctx)
	return Pauses{All: p.All, Queues: p.Queues}, err
}
