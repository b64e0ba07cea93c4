package store

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/wire"
)

//go:embed retire.lua
var retireLua string

// Retire unregisters workers that have stopped. If a late reserve has put a job into
// the record of one, the job first goes back to the front of its queue.
//
// Ruby: Resque::DataStore::WorkerAccess#unregister_worker.
func (s *Store) Retire(ctx context.Context, workers []string) error {
	for len(workers) > 0 {
		left, err := s.retireOnce(ctx, workers)
		if err != nil {
			return fmt.Errorf("unregistering %d workers: %w", len(workers), err)
		}
		workers = workers[:0:0]
		var back []Outcome
		for _, l := range slices.Backward(left) { // the last one taken goes back to the front first
			back = append(back, Outcome{Worker: l.worker, Queue: l.Queue, Guard: l.Guard, Effects: s.Requeue(l.Queue, l.Payload)})
			workers = append(workers, l.worker)
		}
		if len(back) == 0 {
			return nil
		}
		x, err := s.Exchange(ctx, nil, back, nil)
		if err != nil {
			return fmt.Errorf("returning %d unstarted jobs to their queues: %w", len(back), err)
		}
		for _, result := range x.Finished {
			if result.Err != nil {
				return fmt.Errorf("returning an unstarted job to its queue: %w", result.Err)
			}
		}
	}
	return nil
}

// leftover is a record that a late reserve wrote.
type leftover struct {
	worker string
	wire.Record
}

// retireOnce unregisters the workers that have no record and returns the records of
// the others, in the order of their reserves.
func (s *Store) retireOnce(ctx context.Context, workers []string) ([]leftover, error) {
	args := []any{3 + 4*len(workers), s.keys.workers(), s.keys.heartbeats(), s.keys.intervals()}
	for _, id := range workers {
		args = append(args, s.keys.worker(id), s.keys.started(id),
			s.keys.stat("processed:"+id), s.keys.stat("failed:"+id))
	}
	for _, id := range workers {
		args = append(args, id)
	}
	var left []leftover
	err := s.with(ctx, func(c conn) error {
		reply, err := redis.Values(c.script(s.scripts.retire, args...))
		for len(reply) > 0 && err == nil {
			var (
				index int
				text  []byte
			)
			if reply, err = redis.Scan(reply, &index, &text); err != nil {
				return err
			}
			r, bad := wire.ParseRecord(text)
			if bad != nil {
				return fmt.Errorf("unregistering %q: %w", workers[index-1], bad)
			}
			left = append(left, leftover{workers[index-1], r})
		}
		return err
	})
	slices.SortStableFunc(left, func(a, b leftover) int { return strings.Compare(a.RunAt, b.RunAt) })
	return left, err
}
