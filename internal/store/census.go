package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Wanted is what Census reads of a key in addition to its type.
type Wanted struct {
	TTL  bool
	Size bool // if it is a list
}

// queuesEnding is the end of the name of the set of queues of any namespace.
const queuesEnding = ":queues"

// Census reads all keys of a large namespace, about 500 at a time, and calls yield with
// them until it returns false. It reads only what want wants of a key. The keys are in no
// order, and those that were read twice are there twice.
//
// others are the names of other keys of the database that may be sets of queues of other
// namespaces, for [Store.OtherNamespaces].
func (s *Store) Census(ctx context.Context, want func(name string) Wanted, yield func(keys []KeyInfo) (more bool)) (others []string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	parts := make(chan censusPart) // while one is read, the names of the next one are
	go func() {
		defer close(parts)
		s.scanAll(ctx, parts)
	}()
	defer func() {
		cancel()
		for range parts { // until the goroutine has ended
		}
	}()
	for part := range parts {
		others = append(others, part.others...)
		err := part.err
		if err == nil {
			err = s.with(ctx, func(c conn) error { return s.readKinds(c, part.keys, want) })
		}
		if err != nil {
			return nil, fmt.Errorf("listing keys: %w", err)
		}
		if !yield(part.keys) {
			break
		}
	}
	return others, nil
}

// censusPart are some names of keys.
type censusPart struct {
	keys   []KeyInfo
	others []string
	err    error
}

// scanAll sends the names of all keys. The last part is the one with an error, if there is
// one.
func (s *Store) scanAll(ctx context.Context, parts chan<- censusPart) {
	const some, searches = 500, 50
	namespace := s.rdb.Key("")
	for cursor := "0"; ; {
		var part censusPart
		part.err = s.with(ctx, func(c conn) (err error) {
			part.keys, cursor, err = s.names(c, cursor, "", some, searches, queuesEnding)
			return err
		})
		own := part.keys[:0]
		for _, k := range part.keys {
			if strings.HasSuffix(k.Name, queuesEnding) && k.hasWholeName() && k.Name != s.keys.queues() {
				part.others = append(part.others, k.Name)
			}
			if k.cut(namespace) {
				own = append(own, k)
			}
		}
		part.keys = own
		select {
		case parts <- part:
		case <-ctx.Done():
			return
		}
		if part.err != nil || cursor == "0" {
			return
		}
	}
}

// readKinds reads the types of the keys whose whole name is known, and what is wanted, in one
// round trip.
func (s *Store) readKinds(c conn, keys []KeyInfo, want func(name string) Wanted) error {
	commands := make([][]any, 0, len(keys))
	wants := make([]Wanted, len(keys))
	for i, k := range keys {
		if !k.hasWholeName() {
			continue
		}
		var key any = s.rdb.Key(k.Name)
		commands = append(commands, []any{"TYPE", key})
		wants[i] = want(k.Name)
		if wants[i].TTL {
			commands = append(commands, []any{"PTTL", key})
		}
		if wants[i].Size {
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
		if wants[i].TTL {
			ttl, err := redis.Int64(next(), nil)
			if err != nil {
				return err
			}
			k.TTL = time.Duration(max(ttl, 0)) * time.Millisecond
		}
		if wants[i].Size {
			k.Size, _ = redis.Int64(next(), nil) // 0 for a key of another type
		}
	}
	return nil
}
