package store

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/gomodule/redigo/redis"
)

var (
	//go:embed queue_remove.lua
	queueRemoveLua string
	//go:embed queue_forget.lua
	queueForgetLua string
)

// RemoveJobs removes jobs from a queue by their bytes, one for each element of jobs,
// and reports for each whether it was there.
//
// Ruby: Resque::DataStore::QueueAccess#remove_from_queue, which removes all copies.
func (s *Store) RemoveJobs(ctx context.Context, queue string, jobs [][]byte, trash Trash) ([]bool, error) {
	return s.takeJobs(ctx, queue, s.keys.trash(trash.Token), trash.Keep.Milliseconds(), "", jobs)
}

// MoveJobs moves jobs from a queue to the end of another one, by their bytes, and
// reports for each whether it was there.
func (s *Store) MoveJobs(ctx context.Context, queue, to string, jobs [][]byte) ([]bool, error) {
	return s.takeJobs(ctx, queue, s.keys.queue(to), -1, to, jobs)
}

func (s *Store) takeJobs(ctx context.Context, queue, destination string, keep int64, to string, jobs [][]byte) ([]bool, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	args := []any{3, s.keys.queue(queue), destination, s.keys.queues(), keep, to}
	for _, job := range jobs {
		args = append(args, job)
	}
	var taken []bool
	err := s.with(ctx, func(c conn) error {
		replies, err := redis.Int64s(c.script(s.scripts.queueRemove, args...))
		for _, reply := range replies {
			taken = append(taken, reply == 1)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("taking %d jobs from queue %q: %w", len(jobs), queue, err)
	}
	return taken, nil
}

// ClearQueue removes all jobs of a queue and returns their number. The queue's name
// stays known.
func (s *Store) ClearQueue(ctx context.Context, queue string, trash Trash) (int64, error) {
	var n int64
	err := s.with(ctx, func(c conn) (err error) {
		n, err = redis.Int64(c.script(s.scripts.failedClear, 2,
			s.keys.queue(queue), s.keys.trash(trash.Token), trash.Keep.Milliseconds()))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("clearing queue %q: %w", queue, err)
	}
	return n, nil
}

// ForgetQueue removes the name of a queue from the known queues, if it is empty.
//
// Ruby: Resque::DataStore::QueueAccess#remove_queue, which also removes the jobs.
func (s *Store) ForgetQueue(ctx context.Context, queue string) error {
	err := s.with(ctx, func(c conn) error {
		_, err := c.script(s.scripts.queueForget, 2, s.keys.queue(queue), s.keys.queues(), queue)
		return err
	})
	if err != nil {
		return fmt.Errorf("forgetting queue %q: %w", queue, err)
	}
	return nil
}

// RestoreJobs moves at most limit jobs from the trash to the front of their queue. It
// returns how many it moved, and how many are left in the trash.
func (s *Store) RestoreJobs(ctx context.Context, queue, token string, limit int) (moved, left int64, err error) {
	moved, left, err = s.restore(ctx, s.keys.queue(queue), token, s.keys.queues(), limit, queue)
	if err != nil {
		return 0, 0, fmt.Errorf("restoring jobs of queue %q: %w", queue, err)
	}
	return moved, left, nil
}
