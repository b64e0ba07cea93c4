package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Wanted is what Census reads of a key in addition to its type.
type Wanted struct {
	TTL  bool
	Size bool // if it is a list
}

// Census is like ScanKeys, for all keys of a large namespace: it reads only what want wants
// of a key. The keys are in no order.
func (s *Store) Census(ctx context.Context, cursor uint64, some int, want func(name string) Wanted) (keys []KeyInfo, next uint64, err error) {
	const searches = 100
	var at string
	err = s.with(ctx, func(c conn) error {
		if keys, at, err = s.scanNames(c, strconv.FormatUint(cursor, 10), some, searches); err != nil {
			return err
		}
		return s.readKinds(c, keys, want)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("listing keys: %w", err)
	}
	next, _ = strconv.ParseUint(at, 10, 64) // a cursor of Redis is a number
	return keys, next, nil
}

// readKinds reads the types of the keys whose whole name is known, and what is wanted, in one
// round trip.
func (s *Store) readKinds(c conn, keys []KeyInfo, want func(name string) Wanted) error {
	var commands [][]any
	for _, k := range keys {
		if !k.hasWholeName() {
			continue
		}
		key := s.rdb.Key(k.Name)
		commands = append(commands, []any{"TYPE", key})
		wanted := want(k.Name)
		if wanted.TTL {
			commands = append(commands, []any{"PTTL", key})
		}
		if wanted.Size {
			commands = append(commands, []any{"LLEN", key})
		}
	}
	replies, err := c.pipeline(commands...)
	if err != nil {
		return err
	}
	next := func() any {
		reply := replies[0]
		replies = replies[1:]
		return reply
	}
	for i := range keys {
		k := &keys[i]
		if !k.hasWholeName() {
			continue
		}
		if k.Type, err = redis.String(next(), nil); err != nil {
			return err
		}
		wanted := want(k.Name)
		if wanted.TTL {
			ttl, err := redis.Int64(next(), nil)
			if err != nil {
				return err
			}
			k.TTL = time.Duration(max(ttl, 0)) * time.Millisecond
		}
		if wanted.Size {
			k.Size, _ = redis.Int64(next(), nil) // 0 for a key of another type
		}
	}
	return nil
}
