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
	Workers   []WorkerState // without when they started, and their counters
	Processed int64
	Failed    int64 // the counter, not the lists' lengths
	Paused    bool  // all workers are
	Now       time.Time
	RoundTrip time.Duration // of the first of the two
	Damage    []error       // why a key of Resque's own counts as empty: it is of another type
}

// QueueState is a queue in a Snapshot.
type QueueState struct {
	Name   string
	Size   int64
	Paused bool
	Head   []byte // the job that is next, as it is; nil if there is none
	Err    error  // why the queue cannot be read: its key is of another type
}

// ListSize is how many entries a list has.
type ListSize struct {
	Name string
	Size int64
	Err  error // why it cannot be read: its key is of another type
}

// Snapshot reads one. A key of another type counts as empty, and says so; whatever
// else Redis refuses is the error.
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
	for i, key := range []string{s.keys.queues(), s.keys.workers(), s.keys.failedQueues(), s.keys.heartbeats(), "", "", ""} {
		damage, err := otherType(key, replies[i])
		if err != nil {
			return nil, err
		}
		if damage != nil {
			snap.Damage = append(snap.Damage, damage)
		}
	}
	queues, _ := redis.Strings(replies[0], nil) // empty for a key of another type
	workers, _ := redis.Strings(replies[1], nil)
	failedLists, _ = redis.Strings(replies[2], nil)
	beats, _ := redis.StringMap(replies[3], nil)
	values, err := redis.Strings(replies[4], nil)
	if err != nil {
		return nil, err
	}
	every, err := redis.Bool(replies[5], nil)
	if err != nil {
		return nil, err
	}
	clock, err := redis.Int64s(replies[6], nil)
	if err != nil {
		return nil, err
	}
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
		reply := next()
		damage, err := otherType(s.keys.failed(list), reply)
		if err != nil {
			return err
		}
		size, _ := redis.Int64(reply, nil) // 0 for a key of another type
		snap.Failures = append(snap.Failures, ListSize{Name: list, Size: size, Err: damage})
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
			snap.Workers[i].Record = readRecord(snap.Workers[i].ID, text)
		}
	}
	for i := range snap.Queues {
		if err := snap.Queues[i].fill(s.keys.queue(snap.Queues[i].Name), next(), next(), next()); err != nil {
			return err
		}
	}
	return nil
}

// fill takes a queue's length, first job and pause.
func (q *QueueState) fill(key string, size, head, paused any) (err error) {
	if q.Err, err = otherType(key, size); err != nil {
		return err
	}
	if q.Err == nil {
		if q.Size, err = redis.Int64(size, nil); err != nil {
			return err
		}
		q.Head, err = redis.Bytes(head, nil)
		if err != nil && !errors.Is(err, redis.ErrNil) {
			return err
		}
	}
	q.Paused, err = redis.Bool(paused, nil)
	return err
}

// otherType sorts out a reply that is an error: damage if the key is of another
// type, err for whatever else Redis refuses.
func otherType(key string, reply any) (damage, err error) {
	refused, ok := reply.(redis.Error)
	switch {
	case !ok:
		return nil, nil
	case strings.HasPrefix(string(refused), "WRONGTYPE"):
		return fmt.Errorf("the key %q is of another type than Resque's", key), nil
	}
	return nil, refused
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
