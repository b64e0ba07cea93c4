package store

import (
	"context"
	"fmt"

	"github.com/gomodule/redigo/redis"
)

// Working tells for each of workers whether it has a job in hand.
//
// Ruby: Resque::DataStore::WorkerAccess#workers_map.
func (s *Store) Working(ctx context.Context, workers []string) ([]bool, error) {
	if len(workers) == 0 {
		return nil, nil
	}
	var keys []any
	for _, id := range workers {
		keys = append(keys, s.keys.worker(id))
	}
	working := make([]bool, len(workers))
	err := s.with(ctx, func(c conn) error {
		records, err := redis.ByteSlices(c.do("MGET", keys...))
		for i, record := range records {
			working[i] = len(record) > 0
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading what %d workers do: %w", len(workers), err)
	}
	return working, nil
}
