package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"
)

var (
	//go:embed due.lua
	dueLua string
	//go:embed move.lua
	moveLua string
)

// MoveJobs is how many jobs one Move may move. moveBytes is how many bytes: one job may
// exceed that and is then the last one.
const (
	MoveJobs  = 1000
	moveBytes = 1 << 20
)

// DueSecond is a due second with its first jobs. It is empty if the list is.
type DueSecond struct {
	Member string // of the sorted set
	Jobs   [][]byte
	Err    error // why Redis cannot read the list, which then stays
}

// ReadDue returns the first jobs of due seconds: at most jobs, and as many bytes as one
// Move may move. The last second may have more.
func (s *Store) ReadDue(ctx context.Context, members []string, jobs int) ([]DueSecond, error) {
	c := &call{args: []any{min(jobs, MoveJobs), moveBytes}}
	for _, m := range members {
		c.keys = append(c.keys, s.keys.delayedMember(m))
	}
	var due []DueSecond
	err := s.with(ctx, func(on conn) error {
		lists, err := redis.Values(on.script(s.scripts.due, c.list()...))
		if err != nil {
			return err
		}
		for i, list := range lists {
			d := DueSecond{Member: members[i]}
			if text, ok := list.([]byte); ok {
				d.Err = Plain(redis.Error(text))
			} else if d.Jobs, err = redis.ByteSlices(list, nil); err != nil {
				return err
			}
			due = append(due, d)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading %d due seconds: %w", len(members), err)
	}
	return due, nil
}

// Move is what one call of Store.Move does: all of it or nothing.
type Move struct {
	Seconds  []MovedSecond
	Lateness time.Duration // of the oldest second
	Later    int64         // the second until which jobs are delayed again, if any are
}

// MovedSecond is a second with its first jobs, in their order. Without jobs it is
// removed.
type MovedSecond struct {
	Member string
	Jobs   []MovedJob
}

// MovedJob is a job to move: to Queue as Payload, to Failed as the record Failure, or
// to the list of a later second.
type MovedJob struct {
	Stored  []byte // the bytes in the delayed list
	Queue   string
	Payload []byte
	Failure []byte
	Later   bool
}

// ErrNotMaster is the error of Move if the caller does not hold the lock of the master.
var ErrNotMaster = errors.New("another scheduler is master")

// NotListError is the error of Move if the key of a queue is not a list.
type NotListError struct{ Queue string }

func (e *NotListError) Error() string {
	return fmt.Sprintf("the key of queue %q is not a list", e.Queue)
}

// Move moves due jobs in one step, if m is the master and the lists still begin with the
// jobs. If another program has changed a list, it returns false: read the jobs again.
// Each queue gets its jobs in their order.
//
// Ruby: Resque::Scheduler.enqueue_delayed_items_for_timestamp.
func (s *Store) Move(ctx context.Context, m Master, move Move) (moved bool, err error) {
	c, queues := s.moveCall(m, move)
	err = s.with(ctx, func(on conn) error {
		reply, err := on.script(s.scripts.move, c.list()...)
		switch reply := reply.(type) {
		case int64:
			moved = reply == 1
		case []byte:
			return ErrNotMaster
		case []any:
			return notList(reply, queues)
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("moving due jobs: %w", err)
	}
	return moved, nil
}

func notList(reply []any, queues []string) error {
	i, err := redis.Int(reply[0], nil)
	if err != nil {
		return err
	}
	if queue := queues[i-1]; queue != "" {
		return &NotListError{queue}
	}
	return errors.New("the key of the failures, or of a later second, is not a list")
}

// moveCall returns the call of move.lua, and the queues of its targets.
func (s *Store) moveCall(m Master, move Move) (c *call, queues []string) {
	targets := s.moveTargets(move)
	c = &call{
		keys: []any{s.keys.master(m.Prefix), s.keys.scheduler(), s.keys.delayedSchedule(), s.keys.queues()},
		args: []any{m.Token, len(s.keys.timestamps("")), move.Lateness.Seconds(), "", len(targets), len(move.Seconds)},
	}
	for _, target := range targets {
		queues = append(queues, target.queue)
		c.keys = append(c.keys, target.key)
		c.args = append(append(c.args, target.queue, len(target.texts)), target.texts...)
	}
	var again []any
	for _, second := range move.Seconds {
		c.keys = append(c.keys, s.keys.delayedMember(second.Member))
		c.args = append(c.args, second.Member, delayedPrefix+second.Member, len(second.Jobs))
		for _, job := range second.Jobs {
			c.keys = append(c.keys, s.keys.timestamps(string(job.Stored)))
			if job.Later {
				again = append(again, len(c.keys))
			}
		}
	}
	if len(again) > 0 {
		c.args[3] = strconv.FormatInt(move.Later, 10)
	}
	c.args = append(c.args, again...)
	return c, queues
}

// moveTarget is a list to which a move pushes texts.
type moveTarget struct {
	key, queue string // queue is empty if the list is not a queue
	texts      []any
}

// moveTargets returns the targets of a move, in the order of their first jobs.
func (s *Store) moveTargets(move Move) []*moveTarget {
	var targets []*moveTarget
	add := func(key, queue string) *moveTarget {
		target := &moveTarget{key: key, queue: queue}
		targets = append(targets, target)
		return target
	}
	queues := map[string]*moveTarget{}
	var failed, later *moveTarget
	for _, second := range move.Seconds {
		for _, job := range second.Jobs {
			switch {
			case job.Later:
				if later == nil {
					later = add(s.keys.delayed(move.Later), "")
				}
				later.texts = append(later.texts, job.Stored)
			case job.Failure != nil:
				if failed == nil {
					failed = add(s.keys.failed(Failed), "")
				}
				failed.texts = append(failed.texts, job.Failure)
			default:
				if queues[job.Queue] == nil {
					queues[job.Queue] = add(s.keys.queue(job.Queue), job.Queue)
				}
				queue := queues[job.Queue]
				queue.texts = append(queue.texts, job.Payload)
			}
		}
	}
	return targets
}
