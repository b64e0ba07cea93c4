package store

import (
	"context"
	"fmt"

	"github.com/gomodule/redigo/redis"
)

// Sample is the size of a queue, and its first payloads.
type Sample struct {
	Queue    string
	Size     int64
	Payloads [][]byte
	Err      error // why this queue could not be read
}

// Samples returns the sizes of queues and up to n payloads of each. It takes one
// round trip.
//
// Ruby: Resque.queue_sizes and Resque.sample_queues.
func (s *Store) Samples(ctx context.Context, queues []string, n int) ([]Sample, error) {
	samples := make([]Sample, len(queues))
	err := s.with(ctx, func(c conn) error {
		for _, name := range queues {
			if err := c.Send("LLEN", s.keys.queue(name)); err != nil {
				return err
			}
			if n > 0 {
				if err := c.Send("LRANGE", s.keys.queue(name), 0, n-1); err != nil {
					return err
				}
			}
		}
		if err := c.Flush(); err != nil {
			return err
		}
		for i, name := range queues {
			samples[i] = receiveSample(c, name, n > 0)
			if err := samples[i].Err; err != nil && !Refused(err) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the sizes of %d queues: %w", len(queues), err)
	}
	return samples, nil
}

func receiveSample(c conn, queue string, payloads bool) Sample {
	sample := Sample{Queue: queue}
	sample.Size, sample.Err = redis.Int64(c.receive())
	if payloads {
		var err error
		if sample.Payloads, err = redis.ByteSlices(c.receive()); sample.Err == nil {
			sample.Err = err
		}
	}
	if Refused(sample.Err) {
		sample.Err = fmt.Errorf("reading the size of queue %q: %w", queue, sample.Err)
	}
	return sample
}
