package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/gomodule/redigo/redis"
)

// DelayedSecond is a second that has delayed jobs, and their number. A second whose
// jobs were removed may have none.
type DelayedSecond struct {
	Second int64
	Jobs   int64
	Err    error // why its jobs cannot be read: its key has another type
}

// DelayedPart is how many seconds one round trip counts.
const DelayedPart = 1000

// DelayedSeconds returns up to DelayedPart seconds from first to last, both included,
// the earliest first, and the second from which the next call continues. more is false
// if no second follows.
//
// Ruby: Resque::Scheduler::DelayingExtensions#delayed_queue_peek with
// delayed_timestamp_size.
func (s *Store) DelayedSeconds(ctx context.Context, first, last int64) (seconds []DelayedSecond, next int64, more bool, err error) {
	err = s.with(ctx, func(c conn) error {
		pairs, err := redis.Strings(c.do("ZRANGEBYSCORE", s.keys.delayedSchedule(), first, last, "WITHSCORES", "LIMIT", 0, DelayedPart))
		if err != nil {
			return err
		}
		var members []string
		for pair := range slices.Chunk(pairs, 2) {
			members = append(members, pair[0])
			score, _ := strconv.ParseFloat(pair[1], 64) // Redis writes a number
			next = int64(score) + 1
		}
		more = len(members) == DelayedPart && next <= last
		seconds, err = s.countSeconds(c, members)
		return err
	})
	if err != nil {
		return nil, 0, false, fmt.Errorf("reading the seconds that have delayed jobs: %w", err)
	}
	return seconds, next, more, nil
}

// DelayedRank returns up to limit seconds from the one at position first in order of
// time, and the number of all seconds.
//
// Ruby: DelayingExtensions#delayed_queue_peek and delayed_queue_schedule_size.
func (s *Store) DelayedRank(ctx context.Context, first, limit int64) (seconds []DelayedSecond, total int64, err error) {
	err = s.with(ctx, func(c conn) error {
		replies, err := c.pipeline(
			[]any{"ZCARD", s.keys.delayedSchedule()},
			[]any{"ZRANGE", s.keys.delayedSchedule(), first, first + limit - 1})
		if err != nil {
			return err
		}
		if total, err = redis.Int64(replies[0], nil); err != nil {
			return err
		}
		members, err := redis.Strings(replies[1], nil)
		if err != nil {
			return err
		}
		seconds, err = s.countSeconds(c, members)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("reading the seconds that have delayed jobs: %w", err)
	}
	return seconds, total, nil
}

// countSeconds reads the number of jobs of each second. It leaves out members that
// Resque did not write, because no list belongs to them. A key of another type does not
// hide the other seconds.
func (s *Store) countSeconds(c conn, members []string) ([]DelayedSecond, error) {
	seconds := make([]DelayedSecond, 0, len(members))
	var counts [][]any
	for _, member := range members {
		if second, ok := secondOf(delayedPrefix + member); ok {
			seconds = append(seconds, DelayedSecond{Second: second})
			counts = append(counts, []any{"LLEN", s.keys.delayed(second)})
		}
	}
	replies, err := c.pipeline(counts...)
	if err != nil {
		return nil, err
	}
	for i, reply := range replies {
		at := &seconds[i]
		damage, err := otherType(s.keys.delayed(at.Second), reply)
		switch {
		case damage != nil:
			at.Err = fmt.Errorf("reading the delayed jobs of second %d: the key %q: %w", at.Second, s.keys.delayed(at.Second), reply.(redis.Error))
		case err == nil:
			at.Jobs, err = redis.Int64(reply, nil)
		}
		if err != nil {
			return nil, fmt.Errorf("second %d: %w", at.Second, err)
		}
	}
	return seconds, nil
}

// UnknownDelayed returns those of the seconds that are not in the sorted set.
func (s *Store) UnknownDelayed(ctx context.Context, seconds []int64) (unknown []int64, err error) {
	scores := make([][]any, len(seconds))
	for i, second := range seconds {
		scores[i] = []any{"ZSCORE", s.keys.delayedSchedule(), second}
	}
	err = s.with(ctx, func(c conn) error {
		replies, err := c.pipeline(scores...)
		if err := errors.Join(err, refusedIn(replies)); err != nil {
			return err
		}
		for i, reply := range replies {
			if reply == nil {
				unknown = append(unknown, seconds[i])
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the seconds that have delayed jobs: %w", err)
	}
	return unknown, nil
}

// DelayedSpan is a part of the jobs of one second.
type DelayedSpan struct {
	Second       int64
	First, Count int64
}

// DelayedItems returns the items of each span, in one round trip.
//
// Ruby: DelayingExtensions#delayed_timestamp_peek.
func (s *Store) DelayedItems(ctx context.Context, spans []DelayedSpan) ([][][]byte, error) {
	if len(spans) == 0 {
		return nil, nil
	}
	commands := make([][]any, len(spans))
	for i, span := range spans {
		commands[i] = []any{"LRANGE", s.keys.delayed(span.Second), span.First, span.First + span.Count - 1}
	}
	items := make([][][]byte, len(spans))
	err := s.with(ctx, func(c conn) error {
		replies, err := c.pipeline(commands...)
		if err != nil {
			return err
		}
		for i, reply := range replies {
			if items[i], err = redis.ByteSlices(reply, nil); err != nil {
				return fmt.Errorf("second %d: %w", spans[i].Second, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading delayed jobs: %w", err)
	}
	return items, nil
}

// DelayedSize returns the number of seconds that have delayed jobs, and the number of
// those that have come by Redis's clock. It does not count jobs, so it is cheap.
func (s *Store) DelayedSize(ctx context.Context) (seconds, due int64, err error) {
	err = s.with(ctx, func(c conn) error {
		now, err := clockTime(c.do("TIME"))
		if err != nil {
			return err
		}
		replies, err := c.pipeline(
			[]any{"ZCARD", s.keys.delayedSchedule()},
			[]any{"ZCOUNT", s.keys.delayedSchedule(), "-inf", now.Unix()})
		if err != nil {
			return err
		}
		if seconds, err = redis.Int64(replies[0], nil); err == nil {
			due, err = redis.Int64(replies[1], nil)
		}
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("reading the number of delayed seconds: %w", err)
	}
	return seconds, due, nil
}
