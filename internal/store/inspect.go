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

// Info returns the reply of INFO.
//
// Ruby: Resque.redis.info.
func (s *Store) Info(ctx context.Context) (string, error) {
	var text string
	err := s.with(ctx, func(c conn) (err error) {
		text, err = redis.String(c.do("INFO"))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reading the server's INFO: %w", err)
	}
	return text, nil
}

// KeyInfo is a key of the namespace.
type KeyInfo struct {
	Name string // without the namespace
	Type string
	Size int64
	TTL  time.Duration // 0 if the key does not expire
}

// ScanKeys returns about some keys of the namespace, from a cursor on, which is 0 in
// the first call. next is the cursor for the next call, and 0 when there are no more
// keys. The result may be empty before that: the keys are read in parts, so that
// Redis is not blocked for long.
func (s *Store) ScanKeys(ctx context.Context, cursor uint64, some int) (keys []KeyInfo, next uint64, err error) {
	const parts = 10 // in one call
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
	next, _ = strconv.ParseUint(at, 10, 64) // a cursor of Redis is a number
	slices.SortFunc(keys, func(a, b KeyInfo) int { return strings.Compare(a.Name, b.Name) })
	err = s.with(ctx, func(c conn) error { return s.describe(c, keys) })
	if err != nil {
		return nil, 0, fmt.Errorf("listing keys: %w", err)
	}
	return keys, next, nil
}

// describe reads the types, sizes and times to live of keys, in one round trip.
func (s *Store) describe(c conn, keys []KeyInfo) error {
	if len(keys) == 0 {
		return nil
	}
	args := []any{len(keys)}
	for _, k := range keys {
		args = append(args, s.rdb.Key(k.Name))
	}
	replies, err := redis.Values(c.script(s.scripts.describe, args...))
	if err != nil {
		return err
	}
	for i := range keys {
		keys[i].scan(replies[3*i:])
	}
	return nil
}

// scan sets the fields of k from the replies: type, time to live and size.
func (k *KeyInfo) scan(replies []any) {
	k.Type, _ = redis.String(replies[0], nil) // "none" if the key does not exist any more
	ttl, _ := redis.Int64(replies[1], nil)
	k.TTL = time.Duration(max(ttl, 0)) * time.Millisecond
	k.Size, _ = redis.Int64(replies[2], nil)
}

// KeyValue is a part of a key's value.
type KeyValue struct {
	KeyInfo
	Values []string // of a hash or a sorted set: names and values alternate
	Next   string   // from for the next part; empty if this is the last part
}

// ErrNoKey is the error about a key that does not exist.
var ErrNoKey = errors.New("no such key")

// Key reads a part of a key's value in one round trip. from is Next of the part
// before, empty for the first part.
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
