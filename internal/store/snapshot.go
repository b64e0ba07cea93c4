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

// Snapshot is the state of Resque at one moment. It is read in two round trips,
// regardless of the number of queues and workers. Large jobs at the beginning of queues need
// more.
type Snapshot struct {
	Queues    []QueueState  // by name
	Failures  []ListSize    // Failed first, then the lists of queues
	Workers   []WorkerState // without start times and counters
	Processed int64
	Failed    int64     // the counter, not the length of the lists
	Paused    bool      // all workers are paused
	Delayed   int64     // seconds that have delayed jobs
	NextDue   time.Time // the first of them; zero if there are none
	Schedules bool      // there are recurring entries
	Batches   bool      // there are batches
	Statuses  bool      // jobs have statuses
	Now       time.Time
	RoundTrip time.Duration     // how long the first round trip took
	Orders    map[string]string // of workers that take orders, by their ids
	Damage    []error           // the keys of Resque that count as empty because of their type
}

// QueueState is a queue in a Snapshot.
type QueueState struct {
	Name   string
	Size   int64
	Paused bool
	Head   Entry // the payload of the next job, or its beginning; empty if it is not known
	Err    error // set if the queue cannot be read because its key has another type

	Limit   *Limit // nil if the queue has none that can be read
	Running int64  // jobs that count by the limit
}

// ListSize is the number of entries of a list.
type ListSize struct {
	Name string
	Size int64
	Err  error // set if the list cannot be read because its key has another type
}

// Snapshot reads a Snapshot. A key of another type counts as empty and is reported in
// the Snapshot. Any other refusal of Redis is the error.
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

// snapshotNames makes the first round trip, which reads the names and the counters.
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
		[]any{"ZCARD", s.keys.delayedSchedule()},
		[]any{"ZRANGE", s.keys.delayedSchedule(), 0, 0, "WITHSCORES"},
		[]any{"EXISTS", s.keys.persistentSchedules(), s.keys.schedule()},
		[]any{"EXISTS", s.keys.batches()},
		[]any{"HGETALL", s.keys.limits()},
		[]any{"EXISTS", s.keys.statuses()},
		[]any{"HGETALL", s.keys.orders()},
	)
	if err != nil {
		return nil, err
	}
	snap.RoundTrip = time.Since(begun)
	for i, key := range []string{s.keys.queues(), s.keys.workers(), s.keys.failedQueues(), s.keys.heartbeats(), "", "", "", s.keys.delayedSchedule(), "", "", "", s.keys.limits()} {
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
	seconds, err := redis.Int64s(replies[6], nil)
	if err != nil {
		return nil, err
	}
	snap.Delayed, _ = redis.Int64(replies[7], nil) // as above
	if first, _ := redis.Strings(replies[8], nil); len(first) == 2 {
		snap.NextDue = dueAt(first[1])
	}
	if schedules, err := redis.Int64(replies[9], nil); err == nil {
		snap.Schedules = schedules > 0
	}
	if batches, err := redis.Int64(replies[10], nil); err == nil {
		snap.Batches = batches > 0
	}
	if statuses, err := redis.Int64(replies[12], nil); err == nil {
		snap.Statuses = statuses > 0
	}
	slices.Sort(queues)
	slices.Sort(failedLists)
	snap.Orders = readOrders(replies[13])
	limits, _ := redis.StringMap(replies[11], nil) // none for a key of another type
	for _, q := range queues {
		state := QueueState{Name: q}
		if text, limited := limits[q]; limited {
			if l := readLimit(q, text); l.Err == nil {
				state.Limit = &l.Limit
			}
		}
		snap.Queues = append(snap.Queues, state)
	}
	snap.Workers = registered(workers, beats)
	if len(values) == 3 {
		snap.Processed, _ = strconv.ParseInt(values[0], 10, 64) // 0 if it does not exist
		snap.Failed, _ = strconv.ParseInt(values[1], 10, 64)
		snap.Paused = every || strings.EqualFold(strings.TrimSpace(values[2]), "true")
	}
	if len(seconds) == 2 {
		snap.Now = time.Unix(seconds[0], seconds[1]*int64(time.Microsecond)).UTC()
		s.lastClock.Store(&clock{redis: snap.Now, here: time.Now()})
	}
	return slices.DeleteFunc(failedLists, func(name string) bool { return name == Failed }), nil
}

// snapshotDetails makes the second round trip, which reads the sizes and the records.
func (s *Store) snapshotDetails(c conn, snap *Snapshot, failedLists []string) error {
	lists := append([]string{Failed}, failedLists...)
	var commands [][]any
	for _, list := range lists {
		commands = append(commands, []any{"LLEN", s.keys.failed(list)})
	}
	if len(snap.Workers) > 0 {
		commands = append(commands, valuesOf(s.workerKeys(snap.Workers)))
	}
	queues := make([]any, len(snap.Queues))
	for i, q := range snap.Queues {
		queues[i] = s.keys.queue(q.Name)
	}
	h := newHeads()
	commands = append(commands, h.commands(queues)...)
	for _, q := range snap.Queues {
		commands = append(commands,
			[]any{"LLEN", s.keys.queue(q.Name)},
			[]any{"EXISTS", s.keys.pauseQueue(q.Name)})
	}
	for _, q := range snap.Queues {
		if q.Limit != nil {
			commands = append(commands, []any{"HLEN", s.keys.held(queueLimit(q.Name))})
		}
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
		records, err := readValues(len(snap.Workers), next(), nil)
		if err != nil {
			return err
		}
		for i, e := range records {
			snap.Workers[i].Record = readRecordEntry(snap.Workers[i].ID, e)
		}
	}
	heads, err := h.read(len(snap.Queues), next)
	if err != nil {
		return err
	}
	for i := range snap.Queues {
		snap.Queues[i].Head = heads[i]
		if err := snap.Queues[i].fill(s.keys.queue(snap.Queues[i].Name), next(), next()); err != nil {
			return err
		}
	}
	for i := range snap.Queues {
		if snap.Queues[i].Limit != nil {
			snap.Queues[i].Running, _ = redis.Int64(next(), nil) // 0 for a key of another type
		}
	}
	return s.headsLeft(c, h, snap.Queues)
}

// fill sets the fields of q from the replies.
func (q *QueueState) fill(key string, size, paused any) (err error) {
	if q.Err, err = otherType(key, size); err != nil {
		return err
	}
	if q.Err == nil {
		if q.Size, err = redis.Int64(size, nil); err != nil {
			return err
		}
	}
	q.Paused, err = redis.Bool(paused, nil)
	return err
}

// otherType returns damage if the reply is the error about a key of another type, and
// err if it is any other error.
func otherType(key string, reply any) (damage, err error) {
	refused, ok := reply.(redis.Error)
	switch {
	case !ok:
		return nil, nil
	case strings.HasPrefix(string(refused), "WRONGTYPE"):
		return fmt.Errorf("the key %q does not have Resque's type", key), nil
	}
	return nil, refused
}

// pipeline sends commands together and returns their replies. The reply of a command
// that Redis refuses, such as a read of a key of another type, is its redis.Error.
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
