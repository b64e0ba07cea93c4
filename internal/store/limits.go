package store

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/wire"
)

var (
	//go:embed held_free.lua
	heldFreeLua string
	//go:embed held_add.lua
	heldAddLua string
	//go:embed unpark.lua
	unparkLua string
)

// Limit is a limit as it is in Redis; see limit.lua. 0 means no such limit.
type Limit struct {
	Concurrency int64 `json:"concurrency,omitempty"`
	Rate        int64 `json:"rate,omitempty"`
	Per         int64 `json:"per,omitempty"` // milliseconds
	Burst       int64 `json:"burst,omitempty"`
}

// interval returns the microseconds between two starts, and the burst, as limit.lua does.
func (l Limit) interval() (interval, burst float64) {
	if l.Rate <= 0 || l.Per <= 0 {
		return 0, 0
	}
	return float64(l.Per) * 1000 / float64(l.Rate), float64(max(l.Burst, 1))
}

// wait returns after how long the rate of l allows the next start.
func (l Limit) wait(state string, now time.Time) time.Duration {
	interval, burst := l.interval()
	until, err := strconv.ParseFloat(state, 64)
	if err != nil || interval == 0 {
		return 0
	}
	used := min(max(until-float64(now.UnixMicro()), 0), burst*interval)
	wait := used - (burst-1)*interval
	return time.Duration(max(wait, 0)) * time.Microsecond
}

// SetLimit limits a queue. The limit also counts the jobs that run already.
func (s *Store) SetLimit(ctx context.Context, queue string, l Limit) error {
	text, err := json.Marshal(l)
	if err == nil {
		err = s.with(ctx, func(c conn) error {
			_, err := c.do("HSET", s.keys.limits(), queue, text)
			return err
		})
	}
	if err == nil {
		err = s.countRunning(ctx, queue)
	}
	if err != nil {
		return fmt.Errorf("setting the limit of queue %q: %w", queue, err)
	}
	return nil
}

// countRunning notes the jobs of a queue that began before it had a limit.
func (s *Store) countRunning(ctx context.Context, queue string) error {
	ids, err := s.Workers(ctx)
	if err != nil {
		return err
	}
	var workers, guards []string
	for part := range slices.Chunk(ids, 1000) {
		err := s.with(ctx, func(c conn) error {
			commands := make([][]any, len(part))
			for i, id := range part {
				commands[i] = []any{"GETRANGE", s.keys.worker(id), 0, LongRecord}
			}
			replies, err := c.pipeline(commands...)
			if err != nil {
				return err
			}
			for i, id := range part {
				text, _ := redis.Bytes(replies[i], nil) // a key of another type has no guard
				if guard := guardOf(id, queue, text); guard != nil {
					workers, guards = append(workers, id), append(guards, string(guard))
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	_, err = s.compareHeld(ctx, s.scripts.heldAdd, queueLimit(queue), workers, guards)
	return err
}

// guardOf returns the guard of the record of a Go worker that performs a job of a queue.
func guardOf(worker, queue string, text []byte) []byte {
	id, _ := wire.ParseWorkerID(worker)
	guard, _, ok := bytes.Cut(text, []byte(wire.PayloadMember))
	if r, _ := wire.ParseRecordBeginning(text); !id.Go || !ok || r.Queue != queue {
		return nil
	}
	return guard
}

// compareHeld runs a script on the running jobs of a limit.
func (s *Store) compareHeld(ctx context.Context, script *script, limit string, workers, guards []string) (n int, err error) {
	for at := range slices.Chunk(seq(len(workers)), 1000) {
		c := call{keys: []any{s.keys.held(limit)}}
		for _, i := range at {
			c.keys = append(c.keys, s.keys.worker(workers[i]))
			c.args = append(c.args, workers[i], guards[i])
		}
		err = s.with(ctx, func(rc conn) error {
			reply, err := rc.script(script, c.list()...)
			if some, ok := reply.(int64); ok {
				n += int(some)
			}
			return err
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func seq(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// ClearLimit removes the limit of a queue. It reports whether there was one.
func (s *Store) ClearLimit(ctx context.Context, queue string) (existed bool, err error) {
	err = s.with(ctx, func(c conn) error {
		name := queueLimit(queue)
		replies, err := c.pipeline([]any{"MULTI"},
			[]any{"HDEL", s.keys.limits(), queue},
			[]any{"DEL", s.keys.held(name), s.keys.rate(name)},
			[]any{"EXEC"})
		if err != nil {
			return err
		}
		done, err := redis.Values(replies[3], nil)
		if err != nil {
			return err
		}
		existed, err = redis.Bool(done[0], nil)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("clearing the limit of queue %q: %w", queue, err)
	}
	return existed, nil
}

// LimitState is a limit of a queue and what is used of it.
type LimitState struct {
	Queue   string
	Limit   Limit
	Running int64
	Waiting int64         // jobs in the queue
	Next    time.Duration // after which the rate allows the next job
	Err     error         // why the limit cannot be read, or is not applied
}

// Limits returns the limits of queues, sorted by queue, in two round trips.
func (s *Store) Limits(ctx context.Context) ([]LimitState, error) {
	var states []LimitState
	err := s.with(ctx, func(c conn) error {
		texts, err := redis.StringMap(c.do("HGETALL", s.keys.limits()))
		if err != nil || len(texts) == 0 {
			return err
		}
		for _, queue := range slices.Sorted(maps.Keys(texts)) {
			states = append(states, readLimit(queue, texts[queue]))
		}
		commands := [][]any{{"TIME"}}
		for _, l := range states {
			name := queueLimit(l.Queue)
			commands = append(commands, []any{"HLEN", s.keys.held(name)}, []any{"GET", s.keys.rate(name)}, []any{"LLEN", s.keys.queue(l.Queue)})
		}
		replies, err := c.pipeline(commands...)
		if err != nil {
			return err
		}
		now, err := clockTime(replies[0], nil)
		for i := range states {
			if err := states[i].fill(now, replies[1+3*i:]); err != nil {
				return err
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the limits of queues: %w", err)
	}
	return states, nil
}

func readLimit(queue, text string) LimitState {
	l := LimitState{Queue: queue}
	if err := json.Unmarshal([]byte(text), &l.Limit); err != nil {
		l.Err = fmt.Errorf("the limit is not JSON: %w", err)
	}
	return l
}

// fill sets the fields of l from the replies to HLEN, GET and LLEN. A key of another type
// is noted in Err.
func (l *LimitState) fill(now time.Time, replies []any) error {
	for i, key := range []string{"goresque:held:" + queueLimit(l.Queue), "goresque:rate:" + queueLimit(l.Queue), "queue:" + l.Queue} {
		damage, err := otherType(key, replies[i])
		if err != nil {
			return err
		}
		l.Err = errors.Join(l.Err, damage)
	}
	l.Running, _ = redis.Int64(replies[0], nil)
	state, _ := redis.String(replies[1], nil)
	l.Waiting, _ = redis.Int64(replies[2], nil)
	l.Next = l.Limit.wait(state, now)
	return nil
}

// Denied is a queue with jobs of which its limit allows none now.
type Denied struct {
	Queue string
	Wait  time.Duration // until the rate allows the next job; negative if a job must end first
}

// FreeDead frees the places of a queue's limit that are held for jobs which no longer run,
// because another program removed the records of their workers. It returns how many.
func (s *Store) FreeDead(ctx context.Context, queue string) (freed int, err error) {
	return s.freeDead(ctx, queueLimit(queue))
}

func (s *Store) freeDead(ctx context.Context, limit string) (freed int, err error) {
	var workers, guards []string
	err = s.with(ctx, func(c conn) error {
		held, err := redis.StringMap(c.do("HGETALL", s.keys.held(limit)))
		for worker, guard := range held {
			workers, guards = append(workers, worker), append(guards, guard)
		}
		return err
	})
	if err == nil {
		freed, err = s.compareHeld(ctx, s.scripts.heldFree, limit, workers, guards)
	}
	if err != nil {
		return freed, fmt.Errorf("looking for ended jobs in the limit %q: %w", limit, err)
	}
	return freed, nil
}

// limitKeys has the keys and arguments of the limits that the last exchange found, as the
// next one needs them. It is kept while limits and queues stay the same.
type limitKeys struct {
	names  []string
	at     map[string]int // from 1, by name
	queues *queueKeys
	keys   []any // of each limit the running jobs and the rate
	args   []any // of each limit the name and the number of its queue
}

// noteLimits notes which queues have limits, unless names is nil.
func (s *Store) noteLimits(names []string) {
	if names == nil {
		return
	}
	l := &limitKeys{names: names, at: map[string]int{}}
	for i, name := range names {
		l.at[name] = i + 1
		l.keys = append(l.keys, s.keys.held(queueLimit(name)), s.keys.rate(queueLimit(name)))
	}
	s.lastLimits.Store(l)
}

// limitKeys returns the keys of the known limits for an exchange with queues.
func (s *Store) limitKeys(queues *queueKeys) *limitKeys {
	last := s.lastLimits.Load()
	if last == nil || len(last.names) == 0 {
		return &s.noLimits
	}
	if last.queues == queues {
		return last
	}
	l := *last
	l.queues, l.args = queues, nil
	numbers := make(map[string]int, len(queues.queues))
	for i, q := range queues.queues {
		numbers[q] = i + 1
	}
	for _, name := range l.names {
		l.args = append(l.args, name, numbers[name])
	}
	s.lastLimits.CompareAndSwap(last, &l)
	return &l
}

// limitsOf returns the number of the limit of each outcome, or 0, joined with commas.
func (c *exchangeCall) limitsOf(finished []Outcome) string {
	var text []byte
	for _, o := range finished {
		text = strconv.AppendInt(text, int64(c.limits.at[o.Queue]), 10)
		text = append(text, ',')
	}
	return string(text)
}

// readLimits parses what exchange.lua returns about limits, if it returns anything.
func (c *exchangeCall) readLimits(x *Exchanged, reply []any) (err error) {
	var (
		denied []int64
		names  any
	)
	if len(reply) == 0 {
		return nil
	}
	rest, err := redis.Scan(reply, &denied, &names, &x.Unparked)
	if err != nil {
		return fmt.Errorf("reading the reply of exchange.lua: %w", err)
	}
	if len(rest) > 0 {
		x.Uncounted = uncountedError(rest[0])
	}
	for i := 0; i+1 < len(denied); i += 2 {
		if denied[i] < 1 || int(denied[i]) > len(c.queues) {
			return errNotAsked
		}
		wait := time.Duration(min(denied[i+1], math.MaxInt64/1000)) * time.Microsecond
		x.Denied = append(x.Denied, Denied{Queue: c.queues[denied[i]-1], Wait: wait})
	}
	for i, list := range x.Unparked {
		x.Unparked[i] = strings.TrimPrefix(list, c.parked)
	}
	if names, ok := names.([]any); ok {
		c.limited, err = redis.Strings(names, nil)
		c.limited = append(c.limited, "")[:len(names)] // not nil
	}
	return err
}
