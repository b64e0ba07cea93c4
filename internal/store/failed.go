package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// Failed is the name of the one list of failures, beside those of the queues.
const Failed = "failed"

// FailedListOf names the list of a queue's failures.
//
// Ruby: Resque::Failure.failure_queue_name.
func FailedListOf(queue string) string { return queue + failedSuffix }

// IsFailedList tells whether some queue's list of failures could have that name.
func IsFailedList(name string) bool { return strings.HasSuffix(name, failedSuffix) }

const failedSuffix = "_failed"

// Fail pushes a failure's record.
//
// Ruby: Resque::DataStore::FailedQueueAccess#push_to_failed_queue.
func (s *Store) Fail(failure []byte) Effect {
	return Effect{command: "RPUSH", key: s.keys.failed(Failed), args: []any{failure}}
}

// FailInQueue pushes a failure's record to the list of its queue's failures.
//
// Ruby: Resque::Failure::RedisMultiQueue#save.
func (s *Store) FailInQueue(queue string, failure []byte) []Effect {
	list := FailedListOf(queue)
	return []Effect{
		{command: "SADD", key: s.keys.failedQueues(), args: []any{list}},
		{command: "RPUSH", key: s.keys.failed(list), args: []any{failure}},
	}
}

// FailedQueues are the names of the queues' lists of failures, sorted.
//
// Ruby: Resque::DataStore::FailedQueueAccess#failed_queue_names.
func (s *Store) FailedQueues(ctx context.Context) ([]string, error) {
	var names []string
	err := s.with(ctx, func(c conn) (err error) {
		names, err = redis.Strings(c.do("SMEMBERS", s.keys.failedQueues()))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the lists of failures: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

// CountFailed is how many failures a list holds.
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

// FailedRecords reads the records of a list from position first to last.
//
// Ruby: Resque::DataStore#list_range.
func (s *Store) FailedRecords(ctx context.Context, list string, first, last int64) ([][]byte, error) {
	var records [][]byte
	err := s.with(ctx, func(c conn) (err error) {
		records, err = redis.ByteSlices(c.do("LRANGE", s.keys.failed(list), first, last))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the failures of %q: %w", list, err)
	}
	return records, nil
}
