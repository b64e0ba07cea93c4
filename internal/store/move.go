package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

var (
	//go:embed due.lua
	dueLua string
	//go:embed move.lua
	moveLua string
)

// MoveJobs is how many jobs one Move may move. MoveBytes is how many bytes: one job may
// exceed that and is then the last one. MoveSeconds is how many seconds: to remove a second
// takes Redis longer than to move a job.
const (
	MoveJobs    = 1000
	MoveBytes   = 1 << 20
	MoveSeconds = 250
)

// DueSecond is a due second with its first jobs. It is empty if the list is.
type DueSecond struct {
	Member string // of the sorted set
	Jobs   [][]byte
	Err    error // why Redis cannot read the list, which then stays
}

// ReadDue returns the first jobs of due seconds: at most jobs, and as many bytes and
// seconds as one Move may move. The last second may have more.
func (s *Store) ReadDue(ctx context.Context, members []string, jobs int) ([]DueSecond, error) {
	var due []DueSecond
	err := s.with(ctx, func(on conn) (err error) {
		due, err = readDue(members)(on.script(s.scripts.due, s.dueCall(members, jobs)...))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading %d due seconds: %w", len(members), err)
	}
	return due, nil
}

func (s *Store) dueCall(members []string, jobs int) []any {
	c := &call{args: []any{min(jobs, MoveJobs), MoveBytes}}
	for _, m := range members[:min(len(members), MoveSeconds)] {
		c.keys = append(c.keys, s.keys.delayedMember(m))
	}
	return c.list()
}

func readDue(members []string) func(reply any, err error) ([]DueSecond, error) {
	return func(reply any, err error) ([]DueSecond, error) {
		lists, err := redis.Values(reply, err)
		if err != nil {
			return nil, err
		}
		due := make([]DueSecond, len(lists))
		for i, list := range lists {
			due[i].Member = members[i]
			if text, ok := list.([]byte); ok {
				due[i].Err = Plain(redis.Error(text))
			} else if due[i].Jobs, err = redis.ByteSlices(list, nil); err != nil {
				return nil, err
			}
		}
		return due, nil
	}
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
		moved, err = readMoved(queues)(on.script(s.scripts.move, c.list()...))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("moving due jobs: %w", err)
	}
	return moved, nil
}

// MoveAndRead is Move and then ReadDue, in one round trip. If it returns an error, the
// jobs may be moved.
func (s *Store) MoveAndRead(ctx context.Context, m Master, move Move, members []string, jobs int) (moved bool, due []DueSecond, err error) {
	c, queues := s.moveCall(m, move)
	err = s.with(ctx, func(on conn) error {
		if err := errors.Join(
			s.scripts.move.ready().SendHash(on.Conn, c.list()...),
			s.scripts.due.ready().SendHash(on.Conn, s.dueCall(members, jobs)...),
			on.Flush(),
		); err != nil {
			return err
		}
		first, errMove := on.receive()
		second, errDue := on.receive()
		if unknownScript(errMove) {
			first, errMove = on.script(s.scripts.move, c.list()...)
			errDue = errMove
			if errMove == nil {
				second, errDue = on.script(s.scripts.due, s.dueCall(members, jobs)...)
			}
		} else if unknownScript(errDue) {
			second, errDue = on.script(s.scripts.due, s.dueCall(members, jobs)...)
		}
		if moved, err = readMoved(queues)(first, errMove); err != nil {
			return err
		}
		due, err = readDue(members)(second, errDue)
		return err
	})
	if err != nil {
		return false, nil, fmt.Errorf("moving due jobs: %w", err)
	}
	return moved, due, nil
}

// unknownScript reports whether Redis must be sent the text of a script.
func unknownScript(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer) && strings.HasPrefix(string(answer), "NOSCRIPT ")
}

func readMoved(queues []string) func(reply any, err error) (moved bool, _ error) {
	return func(reply any, err error) (bool, error) {
		switch reply := reply.(type) {
		case int64:
			return reply == 1, nil
		case []byte:
			return false, ErrNotMaster
		case []any:
			return false, notList(reply, queues)
		}
		return false, err
	}
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
