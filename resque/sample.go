package resque

import (
	"context"
	"errors"
	"iter"
	"slices"
)

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
	Jobs []*Reserved
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
