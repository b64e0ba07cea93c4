package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// Scan returns a part of the keys below the namespace, without the namespace, and the
// cursor of the next part. The cursor "0" is both the start and the end.
//
// Ruby: Resque::DataStore#all_resque_keys, which reads all at once.
func (s *Store) Scan(ctx context.Context, cursor string) (keys []string, next string, err error) {
	if keys, next, err = s.scan(ctx, cursor, ""); err != nil {
		return nil, "", fmt.Errorf("listing the keys: %w", err)
	}
	return keys, next, nil
}

// scan returns a part of the keys whose name below the namespace begins with prefix.
func (s *Store) scan(ctx context.Context, cursor, prefix string) (keys []string, next string, err error) {
	return s.scanGlob(ctx, cursor, escapeGlob(prefix)+"*")
}

// scanGlob returns a part of the keys whose name below the namespace matches a pattern of
// Redis.
func (s *Store) scanGlob(ctx context.Context, cursor, pattern string) (keys []string, next string, err error) {
	namespace := s.rdb.Key("")
	err = s.with(ctx, func(c conn) error {
		reply, err := redis.Values(c.do("SCAN", cursor, "MATCH", escapeGlob(namespace)+pattern, "COUNT", 1000))
		if err != nil {
			return err
		}
		_, err = redis.Scan(reply, &next, &keys)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	for i := range keys {
		keys[i] = strings.TrimPrefix(keys[i], namespace)
	}
	return keys, next, nil
}

// Erase removes every key below the namespace. It is for namespaces of tests, which
// no other process writes to.
func (s *Store) Erase(ctx context.Context) error {
	for cursor := "0"; ; {
		keys, next, err := s.Scan(ctx, cursor)
		if err != nil {
			return err
		}
		if err := s.unlink(ctx, keys); err != nil {
			return fmt.Errorf("removing %d keys: %w", len(keys), err)
		}
		if next == "0" {
			return nil
		}
		cursor = next
	}
}

func (s *Store) unlink(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	args := make([]any, len(names))
	for i, name := range names {
		args[i] = s.rdb.Key(name)
	}
	return s.with(ctx, func(c conn) error {
		_, err := c.do("UNLINK", args...)
		return err
	})
}

// escapeGlob returns a pattern that matches only text.
func escapeGlob(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(text)
}
