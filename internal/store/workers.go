package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"
)

//go:embed retire.lua
var retireLua string

// Register makes workers known, in one transaction. Their heartbeats must be
// there before: a registration without one is never pruned.
//
// Ruby: Resque::DataStore::WorkerAccess#register_worker.
func (s *Store) Register(ctx context.Context, workers []string, started time.Time) error {
	err := s.with(ctx, func(c conn) error {
		errs := []error{c.Send("MULTI")}
		for _, id := range workers {
			errs = append(errs,
				c.Send("SADD", s.keys.workers(), id),
				c.Send("SET", s.keys.started(id), started.Format(Started)))
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
		_, err := c.do("EXEC")
		return err
	})
	if err != nil {
		return fmt.Errorf("registering %d workers: %w", len(workers), err)
	}
	return nil
}

// Beat records that workers are alive, on Redis's clock.
//
// Ruby: Resque::DataStore::WorkerAccess#heartbeat!.
func (s *Store) Beat(ctx context.Context, workers []string) error {
	now, err := s.Now(ctx)
	if err != nil {
		return fmt.Errorf("asking Redis for the time: %w", err)
	}
	words := []any{s.keys.heartbeats()}
	for _, id := range workers {
		words = append(words, id, now.Format(Heartbeat))
	}
	err = s.with(ctx, func(c conn) error {
		_, err := c.do("HSET", words...)
		return err
	})
	if err != nil {
		return fmt.Errorf("writing %d heartbeats: %w", len(workers), err)
	}
	return nil
}

// Retire removes workers that have stopped. A job that a late reserve put into
// the record of one goes back to the front of its queue first.
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
		for id, text := range left {
			r, err := parseRecord(text)
			if err != nil {
				return fmt.Errorf("unregistering %q: %w", id, err)
			}
			back = append(back, Outcome{Worker: id, Guard: r.guard, Effects: s.Requeue(r.queue, r.payload)})
			workers = append(workers, id)
		}
		if len(back) == 0 {
			return nil
		}
		x, err := s.Exchange(ctx, nil, back, nil)
		if err != nil {
			return fmt.Errorf("putting back %d unstarted jobs: %w", len(back), err)
		}
		for _, settled := range x.Settled {
			if settled.Err != nil {
				return fmt.Errorf("putting back an unstarted job: %w", settled.Err)
			}
		}
	}
	return nil
}

// retireOnce removes those of workers that have no record and returns the
// records of the others.
func (s *Store) retireOnce(ctx context.Context, workers []string) (map[string][]byte, error) {
	words := []any{2 + 4*len(workers), s.keys.workers(), s.keys.heartbeats()}
	for _, id := range workers {
		words = append(words, s.keys.worker(id), s.keys.started(id),
			s.keys.stat("processed:"+id), s.keys.stat("failed:"+id))
	}
	for _, id := range workers {
		words = append(words, id)
	}
	left := map[string][]byte{}
	err := s.with(ctx, func(c conn) error {
		reply, err := redis.Values(c.script(s.retire, words...))
		for len(reply) > 0 && err == nil {
			var (
				index int
				text  []byte
			)
			if reply, err = redis.Scan(reply, &index, &text); err == nil {
				left[workers[index-1]] = text
			}
		}
		return err
	})
	return left, err
}
