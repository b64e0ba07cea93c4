package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gomodule/redigo/redis"
)

// WorkerState has the values that Redis has of a worker. A value that does not exist, or
// whose key has another type, is empty.
type WorkerState struct {
	ID                 string
	Registered         bool
	Heartbeat, Started string
	Processed, Failed  int64
	Record             Record
}

// Fleet returns the states of all workers that are registered or have a heartbeat, sorted
// by id, and the time on Redis's clock. It takes two round trips, regardless of the number
// of workers.
//
// Ruby: Resque::Worker.all, .working and .all_heartbeats.
func (s *Store) Fleet(ctx context.Context) (workers []WorkerState, now time.Time, err error) {
	err = s.with(ctx, func(c conn) error {
		if err := errors.Join(
			c.Send("SMEMBERS", s.keys.workers()),
			c.Send("HGETALL", s.keys.heartbeats()),
			c.Send("TIME"),
			c.Flush(),
		); err != nil {
			return err
		}
		ids, err1 := redis.Strings(c.receive())
		beats, err2 := redis.StringMap(c.receive())
		clock, err3 := clockTime(c.receive())
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		now = clock
		workers = registered(ids, beats)
		return s.states(c, workers)
	})
	if err != nil {
		return nil, now, fmt.Errorf("reading the states of the workers: %w", err)
	}
	return workers, now, nil
}

// WorkerStates returns the states of the workers with the given ids, and the time on
// Redis's clock. It takes one round trip.
//
// Ruby: Resque::Worker.find and .exists?.
func (s *Store) WorkerStates(ctx context.Context, ids []string) (workers []WorkerState, now time.Time, err error) {
	if len(ids) == 0 {
		return nil, now, nil
	}
	workers = make([]WorkerState, len(ids))
	beats := []any{s.keys.heartbeats()}
	commands := make([][]any, 0, len(ids)+3)
	for i, id := range ids {
		workers[i].ID = id
		beats = append(beats, id)
		commands = append(commands, []any{"SISMEMBER", s.keys.workers(), id})
	}
	commands = append(commands, append([]any{"HMGET"}, beats...),
		valuesOf(s.stateKeys(workers)), []any{"TIME"})
	err = s.with(ctx, func(c conn) error {
		replies, err := c.pipeline(commands...)
		if err != nil {
			return err
		}
		if err := refusedIn(replies); err != nil {
			return err
		}
		rest := replies[len(ids):]
		texts, err1 := redis.Strings(rest[0], nil)
		if now, err = clockTime(rest[2], err1); err != nil {
			return err
		}
		for i := range workers {
			known, err := redis.Bool(replies[i], nil)
			if err != nil {
				return err
			}
			workers[i].Registered, workers[i].Heartbeat = known, texts[i]
		}
		return fillStates(workers)(rest[1], nil)
	})
	if err != nil {
		return nil, now, fmt.Errorf("reading the states of %d workers: %w", len(ids), err)
	}
	return workers, now, nil
}

func registered(ids []string, beats map[string]string) []WorkerState {
	workers := make([]WorkerState, 0, len(ids))
	for _, id := range ids {
		workers = append(workers, WorkerState{ID: id, Registered: true, Heartbeat: beats[id]})
		delete(beats, id)
	}
	for id, beat := range beats {
		workers = append(workers, WorkerState{ID: id, Heartbeat: beat})
	}
	slices.SortFunc(workers, func(a, b WorkerState) int { return cmp.Compare(a.ID, b.ID) })
	return workers
}

// states reads the values that have a key for each worker. The script returns nothing for
// a key of another type, so one damaged worker does not hide the others.
func (s *Store) states(c conn, workers []WorkerState) error {
	if len(workers) == 0 {
		return nil
	}
	command := valuesOf(s.stateKeys(workers))
	return fillStates(workers)(c.do(command[0].(string), command[1:]...))
}

// stateKeys returns the keys of the values that states reads.
func (s *Store) stateKeys(workers []WorkerState) []any {
	keys := make([]any, 0, keysOfState*len(workers))
	for _, w := range workers {
		keys = append(keys, s.keys.worker(w.ID), s.keys.started(w.ID),
			s.keys.stat("processed:"+w.ID), s.keys.stat("failed:"+w.ID))
	}
	return keys
}

const keysOfState = 4

// workerKeys returns the keys of the workers' records.
func (s *Store) workerKeys(workers []WorkerState) []any {
	keys := make([]any, len(workers))
	for i, w := range workers {
		keys[i] = s.keys.worker(w.ID)
	}
	return keys
}

// fillStates returns a function that fills in the values of stateKeys.
func fillStates(workers []WorkerState) func(reply any, err error) error {
	return func(reply any, err error) error {
		values, err := readValues(keysOfState*len(workers), reply, err)
		if err != nil {
			return err
		}
		for i := range workers {
			workers[i].fill(values[keysOfState*i:])
		}
		return nil
	}
}

func (w *WorkerState) fill(v []Entry) {
	w.Record = readRecordEntry(w.ID, v[0])
	w.Started, w.Processed, w.Failed = string(v[1].Raw), count(v[2].Raw), count(v[3].Raw)
}
