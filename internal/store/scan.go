package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// Scan is a part of the keys below the namespace, without it, and where to go
// on: "0" is both the start and the end.
//
// Ruby: Resque::DataStore#all_resque_keys, which asks for all at once.
func (s *Store) Scan(ctx context.Context, cursor string) (keys []string, next string, err error) {
	prefix := s.rdb.Key("")
	err = s.with(ctx, func(c conn) error {
		reply, err := redis.Values(c.do("SCAN", cursor, "MATCH", escapeGlob(prefix)+"*", "COUNT", 1000))
		if err != nil {
			return err
		}
		_, err = redis.Scan(reply, &next, &keys)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("listing the keys: %w", err)
	}
	for i := range keys {
		keys[i] = strings.TrimPrefix(keys[i], prefix)
	}
	return keys, next, nil
}

// escapeGlob is text as a pattern that only text itself matches.
func escapeGlob(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(text)
}
