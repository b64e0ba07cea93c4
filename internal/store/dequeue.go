package store

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/gomodule/redigo/redis"
)

//go:embed dequeue.lua
var dequeueLua string

// Remove removes every copy of payload from a queue and returns their number.
//
// Ruby: Resque::DataStore::QueueAccess#remove_from_queue.
func (s *Store) Remove(ctx context.Context, queue string, payload []byte) (int64, error) {
	var n int64
	err := s.with(ctx, func(c conn) (err error) {
		n, err = redis.Int64(c.do("LREM", s.keys.queue(queue), 0, payload))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("removing a job from queue %q: %w", queue, err)
	}
	return n, nil
}

// removedAtOnce is how many payloads RemovePart removes at most. To overwrite one in
// the middle of a million takes Redis some 0.05 ms.
const removedAtOnce = 500

// RemovePart removes the payloads of a queue that are equal to one of payloads and at
// a position from first to last, in one step. It begins with the last. It stops when it
// has removed many. It returns the removed payloads, also with an error, and the first
// position that it has looked at.
//
// Ruby: Resque::Job.destroy, which reads the whole queue and then removes all
// payloads with the same bytes.
func (s *Store) RemovePart(ctx context.Context, queue string, first, last int64, payloads [][]byte, trash Trash) (removed [][]byte, reached int64, err error) {
	args := []any{2, s.keys.queue(queue), s.keys.trash(trash.Token), newMark(), trash.Keep.Milliseconds(), removedAtOnce, first, last}
	for _, payload := range payloads {
		args = append(args, payload)
	}
	err = s.with(ctx, func(c conn) error {
		reply, err := redis.Values(c.script(s.scripts.dequeue, args...))
		if err != nil {
			return err
		}
		var count int64
		var refused string
		var numbers []int
		if _, err = redis.Scan(reply, &count, &reached, &refused, &numbers); err != nil {
			return err
		}
		for _, n := range numbers {
			if n >= 1 && n <= len(payloads) {
				removed = append(removed, payloads[n-1])
			}
		}
		if refused != "" {
			err = redis.Error(refused)
		}
		return err
	})
	if err != nil {
		return removed, reached, fmt.Errorf("removing jobs from queue %q: %w", queue, err)
	}
	return removed, reached, nil
}
