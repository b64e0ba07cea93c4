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

// OtherNamespaces returns the namespaces of which [Store.Census] has found the sets of queues,
// and of which a queue, a worker or a counter also exists.
func (s *Store) OtherNamespaces(ctx context.Context, sets []string) (all []OtherNamespace, err error) {
	seen := map[string]bool{}
	for _, key := range sets {
		if seen[key] {
			continue
		}
		seen[key] = true
		name := strings.TrimSuffix(key, queuesEnding)
		n, ok, err := s.otherNamespace(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("reading the namespace %q: %w", name, err)
		}
		if ok {
			all = append(all, n)
		}
	}
	return all, nil
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
			[]any{"TYPE", key("queues")},
		)
		if err != nil {
			return err
		}
		n.Queues, _ = redis.Int64(replies[0], nil) // 0 if it cannot be read, also below
		n.Workers, _ = redis.Int64(replies[1], nil)
		marks, _ := redis.Int64(replies[2], nil)
		names, _ := redis.Strings(replies[3], nil)
		if kind, _ := redis.String(replies[4], nil); kind != "set" {
			return nil
		}
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
