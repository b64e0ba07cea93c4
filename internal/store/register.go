package store

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/wire"
)

var (
	//go:embed register.lua
	registerLua string
	//go:embed beat.lua
	beatLua string
)

// Register registers workers, with a heartbeat on Redis's clock, and reports for each
// whether the caller has its id now. Ids that are already registered are taken only with
// force. It publishes intervals for other workers, unless they are the default ones or
// zero.
//
// Ruby: Resque::DataStore::WorkerAccess#register_worker.
func (s *Store) Register(ctx context.Context, workers []string, started time.Time, intervals Intervals, force bool) ([]bool, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking Redis for the time: %w", err)
	}
	c := call{keys: []any{s.keys.workers(), s.keys.heartbeats(), s.keys.intervals()}}
	c.args = append(c.args, force, wire.FormatHeartbeat(now), wire.FormatStarted(started), intervals.published())
	for _, id := range workers {
		c.keys = append(c.keys, s.keys.started(id))
		c.args = append(c.args, id)
	}
	taken := make([]bool, len(workers))
	err = s.with(ctx, func(rc conn) error {
		reply, err := redis.Ints(rc.script(s.scripts.register, c.list()...))
		for i := range min(len(reply), len(taken)) {
			taken[i] = reply[i] == 1
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("registering %d workers: %w", len(workers), err)
	}
	return taken, nil
}

// Beat writes the heartbeats of workers, with the time on Redis's clock. It registers
// workers again that are no longer registered: they were pruned while their process was
// stopped, or the database was flushed. It publishes intervals for other workers, unless
// they are the default ones or zero.
//
// Ruby: Resque::DataStore::WorkerAccess#heartbeat!.
func (s *Store) Beat(ctx context.Context, workers []string, intervals Intervals) error {
	now, err := s.Now(ctx)
	if err != nil {
		return fmt.Errorf("asking Redis for the time: %w", err)
	}
	c := call{keys: []any{s.keys.workers(), s.keys.heartbeats(), s.keys.intervals()}}
	c.args = append(c.args, wire.FormatHeartbeat(now), wire.FormatStarted(now), intervals.published())
	for _, id := range workers {
		c.keys = append(c.keys, s.keys.started(id))
		c.args = append(c.args, id)
	}
	err = s.with(ctx, func(rc conn) error {
		_, err := rc.script(s.scripts.beat, c.list()...)
		return err
	})
	if err != nil {
		return fmt.Errorf("writing %d heartbeats: %w", len(workers), err)
	}
	return nil
}

// Workers returns the ids of all registered workers.
//
// Ruby: Resque::DataStore::WorkerAccess#worker_ids.
func (s *Store) Workers(ctx context.Context) ([]string, error) {
	var ids []string
	err := s.with(ctx, func(c conn) (err error) {
		ids, err = redis.Strings(c.do("SMEMBERS", s.keys.workers()))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the workers: %w", err)
	}
	return ids, nil
}

// WorkerExists reports whether a worker is registered.
//
// Ruby: Resque::DataStore::WorkerAccess#worker_exists?.
func (s *Store) WorkerExists(ctx context.Context, id string) (bool, error) {
	known := false
	err := s.with(ctx, func(c conn) (err error) {
		known, err = redis.Bool(c.do("SISMEMBER", s.keys.workers(), id))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("looking for worker %q: %w", id, err)
	}
	return known, nil
}
