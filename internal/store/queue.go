package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomodule/redigo/redis"
)

// Push puts payload at the end of a queue and makes the queue known, in one
// round trip.
//
// Ruby: Resque::DataStore::QueueAccess#push_to_queue.
func (s *Store) Push(ctx context.Context, queue string, payload []byte) error {
	err := s.with(ctx, func(c conn) error {
		if err := errors.Join(
			c.Send("SADD", s.keys.queues(), queue),
			c.Send("RPUSH", s.keys.queue(queue), payload),
		); err != nil {
			return err
		}
		if err := c.Flush(); err != nil {
			return err
		}
		_, sadd := c.receive()
		_, rpush := c.receive()
		return pushed(sadd, rpush)
	})
	if err != nil {
		return fmt.Errorf("pushing to queue %q: %w", queue, err)
	}
	return nil
}

// pushed is the error of a push: Redis's own where it refused the job, and one
// that Refused does not know where the job may be, or is, in the queue.
func pushed(sadd, rpush error) error {
	switch {
	case rpush == nil && sadd != nil:
		return fmt.Errorf("the job is in the queue, but the queue is not known: %v", sadd) //nolint:errorlint // see above
	case sadd != nil && !Refused(sadd): // the connection broke; rpush says no more than that
		return sadd
	case rpush != nil && !Refused(rpush):
		return rpush
	}
	return errors.Join(sadd, rpush)
}

// Queues are the names of all known queues, in no order.
//
// Ruby: Resque::DataStore::QueueAccess#queue_names.
func (s *Store) Queues(ctx context.Context) ([]string, error) {
	var names []string
	err := s.with(ctx, func(c conn) (err error) {
		names, err = redis.Strings(c.do("SMEMBERS", s.keys.queues()))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the queues: %w", err)
	}
	return names, nil
}
