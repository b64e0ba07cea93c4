package store

import (
	"context"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// EvictionPolicy returns what Redis does when its memory is full, such as
// "noeviction". known is false if neither CONFIG nor INFO is available, as on some
// hosted servers.
func (s *Store) EvictionPolicy(ctx context.Context) (policy string, known bool, err error) {
	err = s.with(ctx, func(c conn) error {
		pairs, err := redis.StringMap(c.do("CONFIG", "GET", "maxmemory-policy"))
		if policy, known = pairs["maxmemory-policy"]; known || (err != nil && !Refused(err)) {
			return err
		}
		info, err := redis.String(c.do("INFO", "memory"))
		for line := range strings.Lines(info) {
			if value, ok := strings.CutPrefix(line, "maxmemory_policy:"); ok {
				policy, known = strings.TrimSpace(value), true
			}
		}
		if Refused(err) {
			return nil
		}
		return err
	})
	return policy, known, err
}

// MissingRights returns the commands without which a worker works, but less well, and
// which the user may not use.
func (s *Store) MissingRights(ctx context.Context) (commands []string, err error) {
	err = s.with(ctx, func(c conn) error {
		for _, command := range []string{"CLIENT SETNAME", "CLIENT LIST", "CLIENT TRACKING", "INFO", "CONFIG GET"} {
			words := strings.Fields(command)
			_, err := c.do(words[0], rightArgs(words)...)
			if err != nil && !Refused(err) {
				return err
			}
			if err != nil && strings.HasPrefix(err.Error(), "NOPERM") {
				commands = append(commands, command)
			}
		}
		return nil
	})
	return commands, err
}

// rightArgs returns the arguments with which a command does nothing and has a short reply.
func rightArgs(words []string) []any {
	switch words[len(words)-1] {
	case "SETNAME":
		return []any{"SETNAME", ""}
	case "LIST":
		return []any{"LIST", "TYPE", "pubsub"}
	case "TRACKING":
		return []any{"TRACKING", "OFF"}
	case "GET":
		return []any{"GET", "maxmemory-policy"}
	}
	return []any{"server"}
}
