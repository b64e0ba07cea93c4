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
