package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/gomodule/redigo/redis"
)

// Stat returns the value of a counter: 0 if it does not exist or is not a number.
//
// Ruby: Resque::DataStore::StatsAccess#stat.
func (s *Store) Stat(ctx context.Context, name string) (int64, error) {
	var text []byte
	err := s.with(ctx, func(c conn) (err error) {
		text, err = redis.Bytes(c.do("GET", s.keys.stat(name)))
		if errors.Is(err, redis.ErrNil) {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("reading the counter %q: %w", name, err)
	}
	return count(text), nil
}

// IncrStat adds by, which may be negative, to a counter and returns the new value.
//
// Ruby: Resque::DataStore::StatsAccess#increment_stat.
func (s *Store) IncrStat(ctx context.Context, name string, by int64) (int64, error) {
	var n int64
	err := s.with(ctx, func(c conn) (err error) {
		n, err = redis.Int64(c.do("INCRBY", s.keys.stat(name), by))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("counting %q: %w", name, err)
	}
	return n, nil
}

// ClearStat removes a counter.
//
// Ruby: Resque::DataStore::StatsAccess#clear_stat.
func (s *Store) ClearStat(ctx context.Context, name string) error {
	err := s.with(ctx, func(c conn) error {
		_, err := c.do("DEL", s.keys.stat(name))
		return err
	})
	if err != nil {
		return fmt.Errorf("clearing the counter %q: %w", name, err)
	}
	return nil
}

// count parses the value of a counter. It is 0 if it is not a number. Ruby: to_i.
func count(text []byte) int64 {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
