package store

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/gomodule/redigo/redis"
)

var (
	//go:embed keys_remove.lua
	keysRemoveLua string
	//go:embed keys_restore.lua
	keysRestoreLua string
)

// KeyTrash is what stands in the place of a list's name in the token of a trash of keys.
const KeyTrash = "keys"

// TextKey is a key that is a string.
type TextKey struct {
	Name string // without the namespace
	Text string

	// Without is the name of a key that must not exist when this one is removed. It may be
	// empty.
	Without string
}

// RemoveKeys moves keys to a trash, each only if it still has its text, and returns how many.
func (s *Store) RemoveKeys(ctx context.Context, some []TextKey, trash Trash) (removed int64, err error) {
	if len(some) == 0 {
		return 0, nil
	}
	c := call{keys: []any{s.keys.trash(trash.Token)}, args: []any{max(trash.Keep.Milliseconds(), 0)}}
	for _, k := range some {
		key := s.rdb.Key(k.Name)
		other := key
		if k.Without != "" {
			other = s.rdb.Key(k.Without)
		}
		c.keys, c.args = append(c.keys, key, other), append(c.args, k.Name, k.Text)
	}
	err = s.with(ctx, func(rc conn) (err error) {
		removed, err = redis.Int64(rc.script(s.scripts.keysRemove, c.list()...))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("removing %d keys: %w", len(some), err)
	}
	return removed, nil
}

// RestoreKeys moves at most limit keys from a trash back. It returns how many entries it
// took from the trash, and how many of the keys are back: one that exists again, or would
// have expired since, is not.
func (s *Store) RestoreKeys(ctx context.Context, token string, limit int) (taken, back int64, err error) {
	err = s.with(ctx, func(c conn) error {
		entries, err := redis.Strings(c.do("LRANGE", s.keys.trash(token), 0, limit-1))
		if err != nil || len(entries) == 0 {
			return err
		}
		call := call{keys: []any{s.keys.trash(token)}}
		for _, entry := range entries {
			name, expiry, text, ok := parseTrashedKey(entry)
			if !ok {
				return fmt.Errorf("the trash %q has an entry that is not a key: %.60q", token, entry)
			}
			call.keys, call.args = append(call.keys, s.rdb.Key(name)), append(call.args, entry, expiry, text)
		}
		reply, err := redis.Int64s(c.script(s.scripts.keysRestore, call.list()...))
		if err == nil && len(reply) == 2 {
			taken, back = reply[0], reply[1]
		}
		if err == nil && taken < int64(len(entries)) {
			err = errTrashChanged
		}
		return err
	})
	if err != nil {
		return taken, back, fmt.Errorf("restoring keys: %w", err)
	}
	return taken, back, nil
}

// parseTrashedKey parses an entry that keys_remove.lua wrote.
func parseTrashedKey(entry string) (name string, expiry int64, text string, ok bool) {
	first, rest, ok1 := strings.Cut(entry, " ")
	second, rest, ok2 := strings.Cut(rest, " ")
	expiry, err1 := strconv.ParseInt(first, 10, 64)
	size, err2 := strconv.Atoi(second)
	if !ok1 || !ok2 || err1 != nil || err2 != nil || size < 0 || size > len(rest) {
		return "", 0, "", false
	}
	return rest[:size], expiry, rest[size:], true
}

// Texts returns the texts of keys, in one round trip. A key that does not exist, or that is
// not a string, is not in the map.
func (s *Store) Texts(ctx context.Context, names []string) (map[string]string, error) {
	commands := make([][]any, len(names))
	for i, name := range names {
		commands[i] = []any{"GET", s.rdb.Key(name)}
	}
	texts := make(map[string]string, len(names))
	err := s.each(ctx, commands, func(i int, reply any) error {
		text, err := redis.String(reply, nil)
		if err == nil {
			texts[names[i]] = text
		}
		return nil //nolint:nilerr // see above
	})
	if err != nil {
		return nil, fmt.Errorf("reading %d keys: %w", len(names), err)
	}
	return texts, nil
}

// Exist reports for each key whether it exists, in one round trip.
func (s *Store) Exist(ctx context.Context, names []string) ([]bool, error) {
	commands := make([][]any, len(names))
	for i, name := range names {
		commands[i] = []any{"EXISTS", s.rdb.Key(name)}
	}
	exist := make([]bool, len(names))
	err := s.each(ctx, commands, func(i int, reply any) (err error) {
		exist[i], err = redis.Bool(reply, nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for %d keys: %w", len(names), err)
	}
	return exist, nil
}

// each runs commands in one round trip and calls fn with each reply, which is a redis.Error
// for a command that Redis refused because of the type of the key.
func (s *Store) each(ctx context.Context, commands [][]any, fn func(i int, reply any) error) error {
	if len(commands) == 0 {
		return nil
	}
	return s.with(ctx, func(c conn) error {
		replies, err := c.pipeline(commands...)
		if err != nil {
			return err
		}
		for i, reply := range replies {
			if _, err := otherType("", reply); err != nil {
				return err
			}
			if err := fn(i, reply); err != nil {
				return err
			}
		}
		return nil
	})
}
