package resque

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/goresque/goresque/internal/rubyjson"
)

// Push places payload, which must be JSON, at the end of queue as it is. No hooks
// are called, and in inline mode nothing is performed. Errors are those of
// Enqueue.
//
// Ruby: Resque.push, which encodes what it is given.
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

// Pop takes the next job off queue; ok is false where there is none. From then on
// the job is in the caller's hands alone, and lost with them: workers take
// jobs in another way. Where the error is an *UnreadableError, it has what was
// popped.
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

// Size is how many jobs are waiting in queue.
//
// Ruby: Resque.size.
func (c *Client) Size(ctx context.Context, queue string) (int, error) {
	return c.store.Size(ctx, queue)
}

// Queues are the names of all known queues, sorted. A queue is known from the
// first job on until it is removed, empty or not.
//
// Ruby: Resque.queues.
func (c *Client) Queues(ctx context.Context) ([]string, error) {
	names, err := c.store.Queues(ctx)
	slices.Sort(names)
	return names, err
}

// RemoveQueue removes queue with every job in it. It tells how many jobs there
// were, and whether there was such a queue at all. A pause of the queue stays.
//
// Ruby: Resque.remove_queue.
func (c *Client) RemoveQueue(ctx context.Context, queue string) (jobs int, known bool, err error) {
	known, jobs, err = c.store.RemoveQueue(ctx, queue)
	return jobs, known || jobs > 0, err
}

// peekPart is how many jobs are read at a time.
const peekPart = 200

// Peek are count jobs of queue from position start on, the next one to be taken
// being 0; they stay where they are. A negative start counts from the end, which
// is -1, and a negative count means all that follow. Jobs are read as they are
// asked for, some at a time, so that a queue may be of any length; those that
// move meanwhile may be missed or come twice.
//
// With an *UnreadableError comes a job that has only a queue and a payload, and
// the next one follows. Any other error is the end.
//
// Ruby: Resque.peek, whose count defaults to 1.
func (c *Client) Peek(ctx context.Context, queue string, start, count int) iter.Seq2[*Payload, error] {
	return func(yield func(*Payload, error) bool) {
		if start < 0 {
			size, err := c.store.Size(ctx, queue)
			if err != nil {
				yield(nil, err)
				return
			}
			start = max(size+start, 0)
		}
		for count != 0 {
			part := peekPart
			if count > 0 {
				part = min(count, peekPart)
			}
			payloads, err := c.store.Payloads(ctx, queue, start, start+part-1)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, payload := range payloads {
				if !yield(readWaiting(queue, payload)) {
					return
				}
			}
			if len(payloads) < part {
				return
			}
			start += part
			if count > 0 {
				count -= part
			}
		}
	}
}

// readWaiting reads a payload, of which there is always something to show.
func readWaiting(queue string, payload []byte) (*Payload, error) {
	job, err := ParsePayload(queue, payload)
	if err != nil {
		return &Payload{Queue: queue, Raw: payload}, err
	}
	return job, nil
}

// QueueSizes are how many jobs are waiting, by queue, in two round trips. A queue
// that cannot be read is missing, and the error says so; the others are there.
//
// Ruby: Resque.queue_sizes.
func (c *Client) QueueSizes(ctx context.Context) (map[string]int, error) {
	sizes := map[string]int{}
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

// Sample is the size of a queue and the first jobs in it.
type Sample struct {
	Queue string
	Size  int

	// Jobs are the next to be taken. One without a class is unreadable, and
	// has only its payload.
	Jobs []*Payload
}

// SampleQueues are all known queues, sorted by name, with up to size jobs of each.
// Few queues are read at a time, so that there may be any number of them. With the
// error of a queue that cannot be read comes its name, and the next one follows;
// an error without one is the end.
//
// Ruby: Resque.sample_queues, whose size defaults to 1000.
func (c *Client) SampleQueues(ctx context.Context, size int) iter.Seq2[Sample, error] {
	return c.samples(ctx, max(size, 0))
}

// samples reads the queues in parts of some 10,000 jobs.
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
					job, _ := readWaiting(s.Queue, payload) // it has no class then
					sample.Jobs = append(sample.Jobs, job)
				}
				if !yield(sample, s.Err) {
					return
				}
			}
		}
	}
}

// Pause stops all workers of the namespace from taking jobs, Go's and Ruby's.
// Jobs in hand go on.
//
// Ruby: the key pause-all-workers, which Resque::Worker#paused? reads.
func (c *Client) Pause(ctx context.Context) error { return c.store.PauseAll(ctx, true) }

// Resume lets the workers that Pause has stopped go on. Queues that are paused
// by themselves stay so.
func (c *Client) Resume(ctx context.Context) error { return c.store.PauseAll(ctx, false) }

// PauseQueue stops Go's workers from taking jobs of queue, and Ruby's where they
// have the resque-pause plugin.
func (c *Client) PauseQueue(ctx context.Context, queue string) error {
	return c.store.PauseQueue(ctx, queue, true)
}

// ResumeQueue lets workers take jobs of queue again.
func (c *Client) ResumeQueue(ctx context.Context, queue string) error {
	return c.store.PauseQueue(ctx, queue, false)
}

// Dequeue removes from job's queue every copy of job: same class, same arguments,
// and the same spelling, byte for byte. It tells how many there were; ok is false
// where a hook has vetoed it.
//
// Ruby: Resque.dequeue and Resque::Job.destroy with arguments.
func (c *Client) Dequeue(ctx context.Context, job Job) (removed int, ok bool, err error) {
	return c.dequeueBy(ctx, job, func(ctx context.Context, job Job) (int, bool, error) {
		if err := job.validate(); err != nil {
			return 0, false, err
		}
		payload, err := c.appendPayload(nil, job)
		if err != nil {
			return 0, false, err
		}
		removed, err := c.store.Remove(ctx, job.Queue, payload)
		return removed, err == nil, err
	})
}

// DequeueClass removes from job's queue every job of its class, whatever the
// arguments; those of job do not count, and a definition's AnyJob makes one without.
// It tells how many there were; ok is false where a hook has vetoed it.
//
// It goes through the queue from its end in parts, each of which is one step of
// Redis, and looks at no job that is pushed meanwhile, unless workers have taken as
// many from the front by then. Jobs that are put back at the front meanwhile may
// save as many others.
//
// Ruby: Resque.dequeue and Resque::Job.destroy without arguments.
func (c *Client) DequeueClass(ctx context.Context, job Job) (removed int, ok bool, err error) {
	job.Args = nil
	return c.dequeueBy(ctx, job, func(ctx context.Context, job Job) (int, bool, error) {
		if err := job.validate(); err != nil {
			return 0, false, err
		}
		removed, err := c.store.RemoveClass(ctx, job.Queue, job.Class)
		return removed, err == nil, err
	})
}
