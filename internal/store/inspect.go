package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

var (
	//go:embed describe.lua
	describeLua string
	//go:embed read_key.lua
	readKeyLua string
)

// Info is what the server says of itself.
//
// Ruby: Resque.redis.info.
func (s *Store) Info(ctx context.Context) (string, error) {
	var text string
	err := s.with(ctx, func(c conn) (err error) {
		text, err = redis.String(c.do("INFO"))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("asking redis about itself: %w", err)
	}
	return text, nil
}

// KeyInfo is a key of the namespace.
type KeyInfo struct {
	Name string // without the namespace
	Type string
	Size int64
	TTL  time.Duration // 0 for none
}

// ScanKeys finds some keys of the namespace, from a cursor on, 0 at first. next
// is 0 when there are no more. Redis is never held up for long: it is asked for
// parts, and a part may be empty.
func (s *Store) ScanKeys(ctx context.Context, cursor uint64, some int) (keys []KeyInfo, next uint64, err error) {
	const parts = 10 // and no more than so many in one go
	at := strconv.FormatUint(cursor, 10)
	for range parts {
		names, after, err := s.Scan(ctx, at)
		if err != nil {
			return nil, 0, err
		}
		for _, name := range names {
			keys = append(keys, KeyInfo{Name: name})
		}
		if at = after; at == "0" || len(keys) >= some {
			break
		}
	}
	next, _ = strconv.ParseUint(at, 10, 64) // Redis's own
	slices.SortFunc(keys, func(a, b KeyInfo) int { return strings.Compare(a.Name, b.Name) })
	err = s.with(ctx, func(c conn) error { return s.describe(c, keys) })
	if err != nil {
		return nil, 0, fmt.Errorf("listing keys: %w", err)
	}
	return keys, next, nil
}

// describe reads the types, sizes and lives of keys, in one round trip.
func (s *Store) describe(c conn, keys []KeyInfo) error {
	if len(keys) == 0 {
		return nil
	}
	words := []any{len(keys)}
	for _, k := range keys {
		words = append(words, s.rdb.Key(k.Name))
	}
	replies, err := redis.Values(c.script(s.scripts.describe, words...))
	if err != nil {
		return err
	}
	for i := range keys {
		keys[i].scan(replies[3*i:])
	}
	return nil
}

// scan takes type, life and size.
func (k *KeyInfo) scan(replies []any) {
	k.Type, _ = redis.String(replies[0], nil) // it may be gone by now
	ttl, _ := redis.Int64(replies[1], nil)
	k.TTL = time.Duration(max(ttl, 0)) * time.Millisecond
	k.Size, _ = redis.Int64(replies[2], nil)
}

// KeyValue is a part of what a key holds.
type KeyValue struct {
	KeyInfo
	Values []string // of a hash or a sorted set: name and value in turn
	Next   string   // where the next part begins; empty when there is none
}

// ErrNoKey is wrapped by the error about a key that is not there.
var ErrNoKey = errors.New("no such key")

// Key reads a part of what a key holds, from where an earlier part ended, in one
// round trip.
func (s *Store) Key(ctx context.Context, name, from string, some int64) (KeyValue, error) {
	v := KeyValue{KeyInfo: KeyInfo{Name: name}}
	err := s.with(ctx, func(c conn) error {
		first, _ := strconv.ParseInt(from, 10, 64) // anything else is the beginning
		return s.readKey(c, &v, max(first, 0), some)
	})
	if err != nil {
		return v, fmt.Errorf("reading key %q: %w", name, err)
	}
	return v, nil
}

func (s *Store) readKey(c conn, v *KeyValue, first, some int64) error {
	replies, err := redis.Values(c.script(s.scripts.readKey, 1, s.rdb.Key(v.Name), first, some, 64<<10))
	if err != nil {
		return err
	}
	v.scan(replies)
	if v.Type == "none" {
		return ErrNoKey
	}
	if v.Next, err = redis.String(replies[3], nil); err != nil {
		return err
	}
	switch {
	case v.Next == "0":
		v.Next = ""
	case (v.Type == "list" || v.Type == "zset") && first+some < v.Size:
		v.Next = strconv.FormatInt(first+some, 10)
	}
	v.Values, err = redis.Strings(replies[4], nil)
	return err
}
