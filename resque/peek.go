package resque

import (
	"context"
	"iter"
)

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
func (c *Client) Peek(ctx context.Context, queue string, start, count int) iter.Seq2[*Reserved, error] {
	return func(yield func(*Reserved, error) bool) {
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
func readWaiting(queue string, payload []byte) (*Reserved, error) {
	job, err := ParseReserved(queue, payload)
	if err != nil {
		return &Reserved{Queue: queue, Payload: payload}, err
	}
	return job, nil
}
