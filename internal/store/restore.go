package store

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"

	"github.com/gomodule/redigo/redis"
)

//go:embed restore.lua
var restoreLua string

// Restoring is a job to restore from a trash.
type Restoring struct {
	Entry  []byte // of the trash
	Before int    // length of what precedes the payload in Entry
	Second int64  // of a delayed job
	Locks  []RubyLock
}

// Payload returns the payload.
func (r Restoring) Payload() []byte { return r.Entry[r.Before:] }

// RestoreWithLocks moves jobs from a trash back to the front of a queue, or to their seconds
// if delayed is set. jobs are the last entries of the trash, the last first, or the first
// entries if they are delayed. It reports for each whether it is restored. One whose lock
// another job holds stays in the trash, at the other end.
func (s *Store) RestoreWithLocks(ctx context.Context, token, queue string, delayed bool, jobs []Restoring) (restored []bool, err error) {
	from := "RIGHT"
	if delayed {
		from = "LEFT"
	}
	c := &call{
		keys: []any{s.keys.trash(token), s.keys.delayedSchedule(), s.keys.queues()},
		args: []any{from, queue},
	}
	for _, job := range jobs {
		list, locations := s.keys.queue(queue), s.keys.queue(queue)
		if delayed {
			list, locations = s.keys.delayed(job.Second), s.keys.timestamps(string(job.Payload()))
		}
		c.keys = append(c.keys, list, locations)
		c.args = append(c.args, job.Entry, job.Before, strconv.FormatInt(job.Second, 10), delayedList(job.Second), len(job.Locks))
		for _, l := range job.Locks {
			c.keys = append(c.keys, l.keys()...)
			c.args = append(c.args, l.form(), l.value(), l.TTL.Milliseconds(), l.Member)
		}
	}
	err = s.with(ctx, func(on conn) error {
		results, err := redis.Ints(on.script(s.scripts.restore, c.list()...))
		for _, result := range results {
			restored = append(restored, result == 1)
		}
		if err == nil && len(results) < len(jobs) {
			err = errTrashChanged
		}
		return err
	})
	if err != nil {
		return restored, fmt.Errorf("restoring %d jobs with their locks: %w", len(jobs), err)
	}
	return restored, nil
}

// TrashSize returns how many entries a trash has.
func (s *Store) TrashSize(ctx context.Context, token string) (n int64, err error) {
	err = s.with(ctx, func(c conn) (err error) {
		n, err = redis.Int64(c.do("LLEN", s.keys.trash(token)))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("reading the size of the trash %q: %w", token, err)
	}
	return n, nil
}
