package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gomodule/redigo/redis"
)

//go:embed delay_again.lua
var delayAgainLua string

// ScheduledAt returns the Unix seconds at which a delayed payload is due, sorted.
//
// Ruby: Resque::Scheduler::DelayingExtensions#scheduled_at.
func (s *Store) ScheduledAt(ctx context.Context, payload []byte) ([]int64, error) {
	seconds, _, err := s.locate(ctx, payload)
	return seconds, err
}

// locate also returns how many members the set of the payload's lists has. Those that
// are not names of such lists have no second.
func (s *Store) locate(ctx context.Context, payload []byte) (seconds []int64, members int, err error) {
	err = s.with(ctx, func(c conn) error {
		names, err := redis.Strings(c.do("SMEMBERS", s.keys.timestamps(string(payload))))
		members = len(names)
		for _, name := range names {
			if second, ok := secondOf(name); ok {
				seconds = append(seconds, second)
			}
		}
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("reading when a job is due: %w", err)
	}
	slices.Sort(seconds)
	return seconds, members, nil
}

// DelayedSecondOf returns the second of a list of delayed jobs. ok is false if name, without
// the namespace, is not the name of such a list.
func DelayedSecondOf(name string) (second int64, ok bool) { return secondOf(name) }

// secondOf returns the second of a list of delayed jobs. ok is false if name, without
// the namespace, is not the name of such a list.
func secondOf(name string) (second int64, ok bool) {
	text, ok := strings.CutPrefix(name, delayedPrefix)
	second, err := strconv.ParseInt(text, 10, 64)
	return second, ok && err == nil && delayedList(second) == name
}

// Again is what DelayAgain does with the copies of a job that it has removed.
type Again string

// Values of Again.
const (
	AgainNot   Again = "remove" // nothing
	AgainPush  Again = "push"   // push each copy to the queue
	AgainDelay Again = "delay"  // delay each copy, or one if there was none, until the job's second
)

// DelayedAgain is the result of DelayAgain, in copies of the job.
type DelayedAgain struct{ Removed, Pushed, Delayed int64 }

// againLists is how many lists one step of a removal changes. againTries is how often a
// step is tried: each time that it fails, another process has changed the same job.
const (
	againLists = 200
	againTries = 1000
)

// ErrKeepsMoving is returned if other processes move the job each time before a step can
// be done.
var ErrKeepsMoving = errors.New("other processes change the job's times")

// DelayAgain removes all delayed copies of a job, by its bytes, whenever they are due,
// and pushes or delays them. If it pushes or delays, all is one step.
//
// Ruby: Resque::Scheduler::DelayingExtensions#remove_delayed_in_queue, enqueue_delayed
// and delay_or_enqueue_at, which take several steps.
func (s *Store) DelayAgain(ctx context.Context, job Delayed, what Again) (DelayedAgain, error) {
	var total DelayedAgain
	for tries := againTries; tries > 0; {
		seconds, members, err := s.locate(ctx, job.Payload)
		if err != nil {
			return total, &NotSentError{err}
		}
		if len(seconds) == 0 && what != AgainDelay {
			return total, nil
		}
		some := seconds
		if what == AgainNot {
			some = seconds[:min(len(seconds), againLists)]
		}
		did, ok, err := s.delayAgain(ctx, job, what, some, members)
		total.Removed, total.Pushed, total.Delayed = total.Removed+did.Removed, total.Pushed+did.Pushed, total.Delayed+did.Delayed
		if err != nil {
			return total, err
		}
		if !ok {
			tries--
		} else if len(some) == len(seconds) {
			return total, nil
		}
	}
	return total, &NotSentError{fmt.Errorf("changing a delayed job of queue %q: %w", job.Queue, ErrKeepsMoving)}
}

// delayAgain makes one step. ok is false if the job is in other lists than those of
// seconds now.
func (s *Store) delayAgain(ctx context.Context, job Delayed, what Again, seconds []int64, members int) (did DelayedAgain, ok bool, err error) {
	c := &call{
		keys: []any{
			s.keys.timestamps(string(job.Payload)), s.keys.delayedSchedule(), s.keys.queues(),
			s.keys.queue(job.Queue), s.keys.delayed(job.Due),
		},
		args: []any{
			len(s.keys.timestamps("")), string(what), job.Queue,
			job.CutFrom + 1, job.CutTo, job.Due, delayedList(job.Due), members,
		},
	}
	for _, second := range seconds {
		c.keys = append(c.keys, s.keys.delayed(second))
		c.args = append(c.args, delayedList(second))
	}
	err = s.with(ctx, func(on conn) error {
		reply, err := redis.Values(on.script(s.scripts.delayAgain, c.list()...))
		if ok = len(reply) > 0; err != nil || !ok {
			return err
		}
		_, err = redis.Scan(reply, &did.Removed, &did.Pushed, &did.Delayed)
		return err
	})
	if err != nil {
		return did, false, fmt.Errorf("changing a delayed job of queue %q: %w", job.Queue, err)
	}
	return did, ok, nil
}
