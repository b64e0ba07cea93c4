package store

import (
	"context"
	"fmt"
	"slices"
)

// Batch is a list of payloads to push to the end of one queue, in order.
type Batch struct {
	Queue    string
	Payloads []any // each a []byte, the type that redigo needs
}

// PushAll pushes batches in one round trip and returns the error of each, as
// Push would. Either all payloads of a batch are in the queue or none.
func (s *Store) PushAll(ctx context.Context, batches []Batch) []error {
	errs := s.pushAll(ctx, batches)
	for i, b := range batches {
		if errs[i] != nil {
			errs[i] = fmt.Errorf("pushing %d jobs to queue %q: %w", len(b.Payloads), b.Queue, errs[i])
		}
	}
	return errs
}

func (s *Store) pushAll(ctx context.Context, batches []Batch) []error {
	errs := make([]error, len(batches))
	err := s.with(ctx, func(c conn) error {
		for _, b := range batches {
			if err := s.sendBatch(c, b); err != nil {
				return err
			}
		}
		if err := c.Flush(); err != nil {
			return err
		}
		for i := range batches {
			_, sadd := c.receive()
			_, push := c.receive()
			errs[i] = pushed(sadd, push)
		}
		if !slices.Contains(errs, nil) {
			return nil
		}
		acknowledged := s.awaitReplicas(c)
		for i, err := range errs {
			if err == nil {
				errs[i] = acknowledged
			}
		}
		return nil
	})
	for i := range errs {
		if err != nil {
			errs[i] = err
		}
	}
	return errs
}

func (s *Store) sendBatch(c conn, b Batch) error {
	if err := c.Send("SADD", s.keys.queues(), b.Queue); err != nil {
		return err
	}
	args := make([]any, 0, 1+len(b.Payloads))
	return c.Send("RPUSH", append(append(args, s.keys.queue(b.Queue)), b.Payloads...)...)
}
