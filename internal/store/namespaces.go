package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// OtherNamespace is a namespace of a Resque beside this one, in the same database.
type OtherNamespace struct {
	Name            string
	Queues, Workers int64
	Same            int64 // queues that this namespace also has, of at most 1,000
}

// OtherNamespaces returns the namespaces, other than that of s, that have a set of queues,
// and of which a queue, a worker or a counter also exists. It reads the names of all keys of
// the database, in parts.
func (s *Store) OtherNamespaces(ctx context.Context) (all []OtherNamespace, err error) {
	const suffix = ":queues"
	seen := map[string]bool{s.keys.queues(): true}
	for cursor := "0"; ; {
		var keys []string
		err = s.with(ctx, func(c conn) error {
			reply, err := redis.Values(c.do("SCAN", cursor, "MATCH", "*"+suffix, "COUNT", 1000, "TYPE", "set"))
			if err == nil {
				_, err = redis.Scan(reply, &cursor, &keys)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("looking for other namespaces: %w", err)
		}
		for _, key := range keys {
			if name := strings.TrimSuffix(key, suffix); !seen[key] && len(name) <= nameBytes {
				seen[key] = true
				n, ok, err := s.otherNamespace(ctx, name)
				if err != nil {
					return nil, fmt.Errorf("reading the namespace %q: %w", name, err)
				}
				if ok {
					all = append(all, n)
				}
			}
		}
		if cursor == "0" {
			return all, nil
		}
	}
}

// otherNamespace reads the size of a namespace. ok is false if it is not one of a Resque, or
// cannot be read: its keys may be those of another node, or the user may not read them.
func (s *Store) otherNamespace(ctx context.Context, name string) (n OtherNamespace, ok bool, err error) {
	n.Name = name
	key := func(part string) string { return name + ":" + part }
	err = s.with(ctx, func(c conn) error {
		replies, err := c.pipeline(
			[]any{"SCARD", key("queues")},
			[]any{"SCARD", key("workers")},
			[]any{"EXISTS", key("stat:processed"), key("stat:failed"), key("workers:heartbeat"), key("failed")},
			[]any{"SRANDMEMBER", key("queues"), 1000},
		)
		if err != nil {
			return err
		}
		n.Queues, _ = redis.Int64(replies[0], nil) // 0 if it cannot be read, also below
		n.Workers, _ = redis.Int64(replies[1], nil)
		marks, _ := redis.Int64(replies[2], nil)
		names, _ := redis.Strings(replies[3], nil)
		var commands [][]any
		for _, q := range names {
			commands = append(commands, []any{"EXISTS", key("queue:" + q)}, []any{"SISMEMBER", s.keys.queues(), q})
		}
		if replies, err = c.pipeline(commands...); err != nil {
			return err
		}
		lists := int64(0)
		for i := 0; i+1 < len(replies); i += 2 {
			exists, _ := redis.Int64(replies[i], nil)
			same, _ := redis.Int64(replies[i+1], nil)
			lists, n.Same = lists+exists, n.Same+same
		}
		ok = n.Workers+marks+lists > 0
		return nil
	})
	return n, ok, err
}
