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
	var err error
	if s.pushes.begin() {
		err = s.pushOne(ctx, "RPUSH", queue, payload)
		s.pushes.finish()
	} else {
		err = s.pushes.combine(&push{ctx: ctx, job: Delayed{Queue: queue, Payload: payload}})
	}
	if err != nil {
		return fmt.Errorf("pushing to queue %q: %w", queue, err)
	}
	return nil
}

// PushFront adds payload to the front of a queue, as the next job to be taken.
func (s *Store) PushFront(ctx context.Context, queue string, payload []byte) error {
	if err := s.pushOne(ctx, "LPUSH", queue, payload); err != nil {
		return fmt.Errorf("pushing to queue %q: %w", queue, err)
	}
	return nil
}

// pushWords are the arguments of the commands that push to a queue.
type pushWords struct {
	queue string
	known []any // of SADD
	list  any   // the key of the queue's list
}

// wordsOf returns the arguments for a queue. It keeps those of the last queue, because
// many programs push to one.
func (s *Store) wordsOf(queue string) *pushWords {
	if last := s.lastPush.Load(); last != nil && last.queue == queue {
		return last
	}
	w := &pushWords{queue: queue, known: []any{s.keys.queues(), queue}, list: s.keys.queue(queue)}
	s.lastPush.Store(w)
	return w
}

// pushOne pushes one payload, by RPUSH or LPUSH. It is one call of the connection,
// because each costs a change of its deadlines.
func (s *Store) pushOne(ctx context.Context, command, queue string, payload []byte) error {
	return s.with(ctx, func(c conn) error {
		words := s.wordsOf(queue)
		if err := c.Send("SADD", words.known...); err != nil {
			return err
		}
		reply, err := c.do(command, words.list, payload)
		switch answer, refused := reply.(redis.Error); {
		case refused: // err may be that of SADD
			return Plain(answer)
		case Refused(err):
			return pushed(err, nil)
		case err != nil:
			return err
		}
		return s.awaitReplicas(c)
	})
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
