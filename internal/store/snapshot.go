package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Snapshot is what Resque is doing at one moment, read in two round trips however
// many queues and workers there are.
type Snapshot struct {
	Queues    []QueueState  // by name
	Failures  []ListSize    // Failed first, then the lists of queues
	Workers   []WorkerState // without what WorkerDetails reads
	Processed int64
	Failed    int64 // the counter, not the lists' lengths
	Paused    bool  // all workers are
	Now       time.Time
	RoundTrip time.Duration // of the first of the two
}

// QueueState is a queue in a Snapshot.
type QueueState struct {
	Name   string
	Size   int64
	Paused bool
	Head   []byte // the job that is next, as it is; nil where there is none
}

// ListSize is how many entries a list has.
type ListSize struct {
	Name string
	Size int64
}

// Snapshot reads one.
func (s *Store) Snapshot(ctx context.Context) (Snapshot, error) {
	var snap Snapshot
	err := s.with(ctx, func(c conn) error {
		failed, err := s.snapshotNames(c, &snap)
		if err != nil {
			return err
		}
		return s.snapshotDetails(c, &snap, failed)
	})
	if err != nil {
		return Snapshot{}, fmt.Errorf("reading the state of Resque: %w", err)
	}
	return snap, nil
}

// snapshotNames is the first round trip: what there is.
func (s *Store) snapshotNames(c conn, snap *Snapshot) (failedLists []string, err error) {
	begun := time.Now()
	replies, err := c.pipeline(
		[]any{"SMEMBERS", s.keys.queues()},
		[]any{"SMEMBERS", s.keys.workers()},
		[]any{"SMEMBERS", s.keys.failedQueues()},
		[]any{"HGETALL", s.keys.heartbeats()},
		[]any{"MGET", s.keys.stat("processed"), s.keys.stat("failed"), s.keys.pauseAll()},
		[]any{"EXISTS", s.keys.pauseEvery()},
		[]any{"TIME"},
	)
	if err != nil {
		return nil, err
	}
	snap.RoundTrip = time.Since(begun)
	queues, _ := redis.Strings(replies[0], nil) // a key of another type counts as empty: the page shows the rest
	workers, _ := redis.Strings(replies[1], nil)
	failedLists, _ = redis.Strings(replies[2], nil)
	beats, _ := redis.StringMap(replies[3], nil)
	values, _ := redis.Strings(replies[4], nil)
	every, _ := redis.Bool(replies[5], nil)
	clock, _ := redis.Int64s(replies[6], nil)
	slices.Sort(queues)
	slices.Sort(failedLists)
	for _, q := range queues {
		snap.Queues = append(snap.Queues, QueueState{Name: q})
	}
	snap.Workers = registered(workers, beats)
	if len(values) == 3 {
		snap.Processed, _ = strconv.ParseInt(values[0], 10, 64) // not there: 0
		snap.Failed, _ = strconv.ParseInt(values[1], 10, 64)
		snap.Paused = every || strings.EqualFold(strings.TrimSpace(values[2]), "true")
	}
	if len(clock) == 2 {
		snap.Now = time.Unix(clock[0], clock[1]*int64(time.Microsecond)).UTC()
	}
	return slices.DeleteFunc(failedLists, func(name string) bool { return name == Failed }), nil
}

// snapshotDetails is the second: how much there is of it.
func (s *Store) snapshotDetails(c conn, snap *Snapshot, failedLists []string) error {
	lists := append([]string{Failed}, failedLists...)
	var commands [][]any
	for _, list := range lists {
		commands = append(commands, []any{"LLEN", s.keys.failed(list)})
	}
	if len(snap.Workers) > 0 {
		commands = append(commands, append([]any{"MGET"}, s.workerKeys(snap.Workers)...))
	}
	for _, q := range snap.Queues {
		commands = append(commands,
			[]any{"LLEN", s.keys.queue(q.Name)},
			[]any{"LINDEX", s.keys.queue(q.Name), 0},
			[]any{"EXISTS", s.keys.pauseQueue(q.Name)})
	}
	replies, err := c.pipeline(commands...)
	if err != nil {
		return err
	}
	next := func() any {
		reply := replies[0]
		replies = replies[1:]
		return reply
	}
	for _, list := range lists {
		size, _ := redis.Int64(next(), nil)
		snap.Failures = append(snap.Failures, ListSize{list, size})
	}
	if len(snap.Workers) > 0 {
		records, err := redis.ByteSlices(next(), nil)
		if err == nil && len(records) != len(snap.Workers) {
			err = fmt.Errorf("MGET answered %d values for %d workers", len(records), len(snap.Workers))
		}
		if err != nil {
			return err
		}
		for i, text := range records {
			snap.Workers[i].Record = Record{Worker: snap.Workers[i].ID, Text: text} // read by who shows it
		}
	}
	for i := range snap.Queues {
		q := &snap.Queues[i]
		q.Size, _ = redis.Int64(next(), nil)
		q.Head, _ = redis.Bytes(next(), nil)
		q.Paused, _ = redis.Bool(next(), nil)
	}
	return nil
}

// WorkerDetails fills in what a Snapshot leaves out of these workers: when they
// started, and their counters.
func (s *Store) WorkerDetails(ctx context.Context, workers []WorkerState) error {
	err := s.with(ctx, func(c conn) error { return s.states(c, workers) })
	if err != nil {
		return fmt.Errorf("reading what %d workers did: %w", len(workers), err)
	}
	return nil
}

// pipeline sends commands together and returns their replies; one that Redis
// refuses, such as a read of a key of another type, has its error for reply.
func (c conn) pipeline(commands ...[]any) ([]any, error) {
	for _, command := range commands {
		if err := c.Send(command[0].(string), command[1:]...); err != nil {
			return nil, err
		}
	}
	if err := c.Flush(); err != nil {
		return nil, err
	}
	replies := make([]any, len(commands))
	for i := range commands {
		reply, err := c.receive()
		var refused redis.Error
		if err != nil && !errors.As(err, &refused) {
			return nil, err
		}
		replies[i] = reply
		if err != nil {
			replies[i] = refused
		}
	}
	return replies, nil
}
