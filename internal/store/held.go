package store

import (
	"context"
	"fmt"

	"github.com/gomodule/redigo/redis"
)

// Held reports for each reserved job whether its record is still there. A record that
// cannot be read, such as a key of another type, counts as there.
func (s *Store) Held(ctx context.Context, jobs []Reserved) ([]bool, error) {
	held := make([]bool, len(jobs))
	err := s.with(ctx, func(c conn) error {
		for _, j := range jobs {
			if err := c.Send("GETRANGE", s.keys.worker(j.Worker), 0, len(j.Guard)-1); err != nil {
				return err
			}
		}
		if err := c.Flush(); err != nil {
			return err
		}
		for i, j := range jobs {
			head, err := redis.String(c.receive())
			if err != nil && !Refused(err) {
				return err
			}
			held[i] = err != nil || head == string(j.Guard)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the records of %d running jobs: %w", len(jobs), err)
	}
	return held, nil
}
