package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomodule/redigo/redis"
)

// Push adds payload to the end of a queue and the queue's name to the known queues,
// in one round trip. Concurrent pushes share round trips.
//
// Ruby: Resque::DataStore::QueueAccess#push_to_queue.
func (s *Store) Push(ctx context.Context, queue string, payload []byte) error {
	if err := s.pushes.combine(&push{ctx: ctx, job: Delayed{Queue: queue, Payload: payload}}); err != nil {
		return fmt.Errorf("pushing to queue %q: %w", queue, err)
	}
	return nil
}

// PushFront adds payload to the front of a queue, as the next job to be taken.
func (s *Store) PushFront(ctx context.Context, queue string, payload []byte) error {
	err := s.with(ctx, func(c conn) error {
		if err := errors.Join(
			c.Send("SADD", s.keys.queues(), queue),
			c.Send("LPUSH", s.keys.queue(queue), payload),
		); err != nil {
			return err
		}
		if err := c.Flush(); err != nil {
			return err
		}
		_, sadd := c.receive()
		_, push := c.receive()
		if err := pushed(sadd, push); err != nil {
			return err
		}
		return s.awaitReplicas(c)
	})
	if err != nil {
		return fmt.Errorf("pushing to queue %q: %w", queue, err)
	}
	return nil
}

// pushed returns the error of a push from the errors of its two commands. If Redis
// refused the job, it is Redis's error. If the job is or may be in the queue, Refused
// reports false for it.
func pushed(sadd, push error) error {
	switch {
	case push == nil && sadd != nil:
		return &halfDoneError{sadd}
	case sadd != nil && !Refused(sadd): // the connection broke, so push is the same error
		return sadd
	}
	return push
}

// Queues returns the names of all known queues, in no particular order.
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

// Pop removes and returns the first payload of a queue. ok is false if the queue is
// empty.
//
// Ruby: Resque::DataStore::QueueAccess#pop_from_queue.
func (s *Store) Pop(ctx context.Context, queue string) (payload []byte, ok bool, err error) {
	err = s.with(ctx, func(c conn) error {
		payload, err = redis.Bytes(c.do("LPOP", s.keys.queue(queue)))
		if errors.Is(err, redis.ErrNil) {
			return nil
		}
		ok = err == nil
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("popping from queue %q: %w", queue, err)
	}
	return payload, ok, nil
}

// Size returns the number of payloads in a queue.
//
// Ruby: Resque::DataStore::QueueAccess#queue_size.
func (s *Store) Size(ctx context.Context, queue string) (int64, error) {
	var n int64
	err := s.with(ctx, func(c conn) (err error) {
		n, err = redis.Int64(c.do("LLEN", s.keys.queue(queue)))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("reading the size of queue %q: %w", queue, err)
	}
	return n, nil
}

// RemoveQueue removes a queue with all its payloads, in one step. It returns whether
// the queue was known, and how many payloads it had.
//
// Ruby: Resque::DataStore::QueueAccess#remove_queue.
func (s *Store) RemoveQueue(ctx context.Context, queue string) (known bool, payloads int64, err error) {
	err = s.with(ctx, func(c conn) error {
		if err := errors.Join(
			c.Send("MULTI"),
			c.Send("SREM", s.keys.queues(), queue),
			c.Send("LLEN", s.keys.queue(queue)),
			c.Send("DEL", s.keys.queue(queue)),
		); err != nil {
			return err
		}
		replies, err := redis.Values(c.do("EXEC"))
		if err != nil {
			return err
		}
		for _, reply := range replies {
			if refusal, ok := reply.(redis.Error); ok {
				return refusal
			}
		}
		_, err = redis.Scan(replies, &known, &payloads)
		return err
	})
	if err != nil {
		return false, 0, fmt.Errorf("removing queue %q: %w", queue, err)
	}
	return known, payloads, nil
}
