package store

import (
	"context"
	"crypto/rand"
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

// removePart is how many payloads RemoveClass looks at in one step. The step ends early
// when removeMost are removed. In each step Redis searches all payloads behind those to
// remove, which takes some 80 ms for a million, so smaller steps would take longer.
const (
	removePart = 50_000
	removeMost = 2000
)

// RemoveClass removes every payload of a class from a queue, part by part from its
// end, and returns how many it removed, even with an error. Jobs that are pushed
// during the call are left alone if the length of the list shows them: each job that
// a worker takes at the same time hides one of them.
//
// Ruby: Resque::Job.destroy, which reads the whole queue and then removes all
// payloads with the same bytes.
func (s *Store) RemoveClass(ctx context.Context, queue, class string) (int64, error) {
	mark := "goresque:removed:" + rand.Text()
	total, removed, done, length := int64(0), int64(0), 0, -1
	for reached := false; !reached; {
		err := s.with(ctx, func(c conn) error {
			reply, err := redis.Values(c.script(s.scripts.dequeue, 1, s.keys.queue(queue), class, mark, removePart, removeMost, done, length))
			if err != nil {
				return err
			}
			_, err = redis.Scan(reply, &removed, &done, &length, &reached)
			return err
		})
		if err != nil {
			return total, fmt.Errorf("removing the jobs of class %q from queue %q: %w", class, queue, err)
		}
		total += removed
	}
	return total, nil
}
