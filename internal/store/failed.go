package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// Failed is the name of the list that holds the failures of all queues.
const Failed = "failed"

// FailedListOf returns the name of a queue's failure list.
//
// Ruby: Resque::Failure.failure_queue_name.
func FailedListOf(queue string) string { return queue + failedSuffix }

// IsFailedList reports whether name can be the name of a queue's failure list.
func IsFailedList(name string) bool { return strings.HasSuffix(name, failedSuffix) }

const failedSuffix = "_failed"

// RecordFailure returns the effects that push the record of a failure to the list of all
// failures, to that of its queue, or to both.
//
// Ruby: Resque::Failure.create.
func (s *Store) RecordFailure(queue string, failure []byte, together, byQueue bool) []Effect {
	var effects []Effect
	if together {
		effects = append(effects, s.Fail(failure))
	}
	if byQueue {
		effects = append(effects, s.FailInQueue(queue, failure)...)
	}
	return effects
}

// Fail returns the effect that pushes a failure's record to Failed.
//
// Ruby: Resque::DataStore::FailedQueueAccess#push_to_failed_queue.
func (s *Store) Fail(failure []byte) Effect {
	return Effect{command: "RPUSH", key: s.keys.failed(Failed), args: []any{failure}}
}

// FailInQueue returns the effects that push a failure's record to the failure list of
// its queue.
//
// Ruby: Resque::Failure::RedisMultiQueue#save.
func (s *Store) FailInQueue(queue string, failure []byte) []Effect {
	list := FailedListOf(queue)
	return []Effect{
		{command: "SADD", key: s.keys.failedQueues(), args: []any{list}},
		{command: "RPUSH", key: s.keys.failed(list), args: []any{failure}},
	}
}

// FailedQueues returns the names of the queues' failure lists, sorted.
//
// Ruby: Resque::DataStore::FailedQueueAccess#failed_queue_names.
func (s *Store) FailedQueues(ctx context.Context) ([]string, error) {
	var names []string
	err := s.with(ctx, func(c conn) (err error) {
		names, err = redis.Strings(c.do("SMEMBERS", s.keys.failedQueues()))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the names of the failure lists: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

// CountFailed returns the number of failures in a list.
//
// Ruby: Resque::DataStore::FailedQueueAccess#num_failed.
func (s *Store) CountFailed(ctx context.Context, list string) (int64, error) {
	var n int64
	err := s.with(ctx, func(c conn) (err error) {
		n, err = redis.Int64(c.do("LLEN", s.keys.failed(list)))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("counting the failures of %q: %w", list, err)
	}
	return n, nil
}
