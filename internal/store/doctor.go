package store

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

//go:embed heartbeat_forget.lua
var heartbeatForgetLua string

// ForgetHeartbeat removes the heartbeat of a worker if it still has the given text.
func (s *Store) ForgetHeartbeat(ctx context.Context, worker, text string) (forgotten bool, err error) {
	err = s.with(ctx, func(c conn) (err error) {
		forgotten, err = redis.Bool(c.script(s.scripts.heartbeatForget, 1, s.keys.heartbeats(), worker, text))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("removing the heartbeat of worker %q: %w", worker, err)
	}
	return forgotten, nil
}

// Settings returns settings of the server. One that the server does not have is not in the
// map.
func (s *Store) Settings(ctx context.Context, names ...string) (map[string]string, error) {
	settings := map[string]string{}
	err := s.with(ctx, func(c conn) error {
		for _, name := range names {
			pairs, err := redis.StringMap(c.do("CONFIG", "GET", name))
			if err != nil {
				return err
			}
			if value, ok := pairs[name]; ok {
				settings[name] = value
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the server's settings: %w", err)
	}
	return settings, nil
}

// SlowScripts returns how many of the last slow commands of the server are scripts on keys
// of the namespace that took longer than limit, and the longest time.
func (s *Store) SlowScripts(ctx context.Context, limit time.Duration) (longest time.Duration, n int64, err error) {
	err = s.with(ctx, func(c conn) error {
		entries, err := redis.SlowLogs(c.do("SLOWLOG", "GET", 128))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.ExecutionTime <= limit || !s.isScript(e.Args) {
				continue
			}
			n++
			longest = max(longest, e.ExecutionTime)
		}
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("reading the server's slow log: %w", err)
	}
	return longest, n, nil
}

// isScript reports whether args run a script on keys of the namespace.
func (s *Store) isScript(args []string) bool {
	if len(args) < 4 || !strings.HasPrefix(strings.ToUpper(args[0]), "EVAL") {
		return false
	}
	return strings.HasPrefix(args[3], s.rdb.Key(""))
}

// ListQueues adds the queues that have jobs and are not in the set of queues to it, and
// returns how many.
func (s *Store) ListQueues(ctx context.Context) (added int64, err error) {
	const prefix = "queue:"
	for cursor := "0"; ; {
		var names []string
		if names, cursor, err = s.scan(ctx, cursor, prefix); err != nil {
			return added, fmt.Errorf("listing the queues: %w", err)
		}
		n, err := s.listQueues(ctx, names, prefix)
		if added += n; err != nil {
			return added, fmt.Errorf("adding %d queues to the set of queues: %w", len(names), err)
		}
		if cursor == "0" {
			return added, nil
		}
	}
}

func (s *Store) listQueues(ctx context.Context, names []string, prefix string) (added int64, err error) {
	err = s.with(ctx, func(c conn) error {
		commands := make([][]any, len(names))
		for i, name := range names {
			commands[i] = []any{"LLEN", s.rdb.Key(name)}
		}
		sizes, err := c.pipeline(commands...)
		if err != nil {
			return err
		}
		args := []any{s.keys.queues()}
		for i, name := range names {
			if n, ok := sizes[i].(int64); ok && n > 0 { // not of another type
				args = append(args, strings.TrimPrefix(name, prefix))
			}
		}
		if len(args) > 1 {
			added, err = redis.Int64(c.do("SADD", args...))
		}
		return err
	})
	return added, err
}
