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
	//go:embed scan.lua
	scanLua string
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
	Name     string // without the namespace; only the beginning if NameSize is larger
	NameSize int64
	Type     string // empty if only the beginning of the name is known
	Size     int64
	TTL      time.Duration // 0 if the key does not expire
}

// nameBytes is the length of the longest name that is read whole.
const nameBytes = 1 << 10

// ScanKeys returns about some keys of the namespace, from a cursor on, which is 0 in
// the first call. next is the cursor for the next call, and 0 when there are no more
// keys. The result may be empty before that: the keys are read in parts, so that
// Redis is not blocked for long.
func (s *Store) ScanKeys(ctx context.Context, cursor uint64, some int) (keys []KeyInfo, next uint64, err error) {
	const parts, searches = 10, 100 // in one call
	at := strconv.FormatUint(cursor, 10)
	err = s.with(ctx, func(c conn) error {
		for range parts {
			names, after, err := s.scanNames(c, at, some-len(keys), searches)
			if err != nil {
				return err
			}
			keys = append(keys, names...)
			if at = after; at == "0" || len(keys) >= some {
				break
			}
		}
		slices.SortFunc(keys, func(a, b KeyInfo) int { return strings.Compare(a.Name, b.Name) })
		return s.describe(c, keys)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("listing keys: %w", err)
	}
	next, _ = strconv.ParseUint(at, 10, 64) // a cursor of Redis is a number
	return keys, next, nil
}

func (s *Store) scanNames(c conn, cursor string, some, searches int) (keys []KeyInfo, next string, err error) {
	names, next, err := s.names(c, cursor, escapeGlob(s.rdb.Key(""))+"*", some, searches, "")
	for i := range names {
		names[i].cut(s.rdb.Key(""))
	}
	return names, next, err
}

// names returns the names of keys, with the namespace, that match a pattern. If it is empty,
// these are the keys of the namespace, and those of which the name ends with ending.
func (s *Store) names(c conn, cursor, pattern string, some, searches int, ending string) (keys []KeyInfo, next string, err error) {
	replies, err := redis.Values(c.script(s.scripts.scan, 1, s.rdb.Key(""), cursor, pattern, some, searches, nameBytes, ending))
	if err == nil {
		replies, err = redis.Scan(replies, &next)
	}
	if err != nil {
		return nil, "", err
	}
	keys = make([]KeyInfo, 0, len(replies))
	for _, reply := range replies {
		e, err := readEntry(reply)
		if err != nil {
			return nil, "", err
		}
		keys = append(keys, KeyInfo{Name: string(e.Raw), NameSize: e.Size})
	}
	return keys, next, nil
}

// cut takes the namespace off the name of a key. ok is false if the name has another one.
func (k *KeyInfo) cut(namespace string) (ok bool) {
	name, ok := strings.CutPrefix(k.Name, namespace)
	k.NameSize -= int64(len(k.Name) - len(name))
	k.Name = name
	return ok
}

// hasWholeName reports whether Name is the whole name.
func (k KeyInfo) hasWholeName() bool { return int64(len(k.Name)) == k.NameSize }

// describe reads the types, sizes and times to live of the keys whose whole name is
// known, in one round trip.
func (s *Store) describe(c conn, keys []KeyInfo) error {
	var known []*KeyInfo
	args := []any{0}
	for i, k := range keys {
		if k.hasWholeName() {
			known = append(known, &keys[i])
			args = append(args, s.rdb.Key(k.Name))
		}
	}
	if len(known) == 0 {
		return nil
	}
	args[0] = len(known)
	replies, err := redis.Values(c.script(s.scripts.describe, args...))
	if err != nil {
		return err
	}
	for i, k := range known {
		k.scan(replies[3*i:])
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
	Sizes  []int64  // of the values; of a larger one, Values has the beginning
	Next   string   // from for the next part; empty if this is the last part
	Memory int64    // bytes of memory that the key uses, about; -1 if it is not known
}

// ErrNoKey is the error about a key that does not exist.
var ErrNoKey = errors.New("no such key")

// valueBytes is how many bytes of a value are read.
const valueBytes = 64 << 10

// Key reads a part of a key's value in one round trip. from is Next of the part
// before, empty for the first part.
func (s *Store) Key(ctx context.Context, name, from string, some int64) (KeyValue, error) {
	v := KeyValue{KeyInfo: KeyInfo{Name: name, NameSize: int64(len(name))}}
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
	replies, err := redis.Values(c.script(s.scripts.readKey, 1, s.rdb.Key(v.Name), first, some, valueBytes))
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
	if v.Values, err = redis.Strings(replies[4], nil); err != nil {
		return err
	}
	if v.Sizes, err = redis.Int64s(replies[5], nil); err != nil {
		return err
	}
	v.Memory, err = redis.Int64(replies[6], nil)
	return err
}
