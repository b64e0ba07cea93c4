package store

import (
	"context"
	"fmt"

	"github.com/gomodule/redigo/redis"
)

// Overview has the names of queues and workers, and counts.
type Overview struct {
	Queues, Workers   []string
	Pending, Working  int64
	Processed, Failed int64
	Damage            []error // the keys that count as empty because of their type
}

// Overview reads an Overview in two round trips, regardless of the number of queues
// and workers. A key of another type counts as empty and is reported in the Overview.
// Any other refusal of Redis is the error.
//
// Ruby: Resque.info.
func (s *Store) Overview(ctx context.Context) (Overview, error) {
	var o Overview
	err := s.with(ctx, func(c conn) error {
		if err := s.overview(c, &o); err != nil {
			return err
		}
		return s.sums(c, &o)
	})
	if err != nil {
		return Overview{}, fmt.Errorf("counting queues, jobs and workers: %w", err)
	}
	return o, nil
}

func (s *Store) overview(c conn, o *Overview) error {
	replies, err := o.read(c,
		[]any{"SMEMBERS", s.keys.queues()},
		[]any{"SMEMBERS", s.keys.workers()},
		[]any{"GET", s.keys.stat("processed")},
		[]any{"LLEN", s.keys.failed(Failed)})
	if err != nil {
		return err
	}
	o.Queues, _ = redis.Strings(replies[0], nil) // empty for a key of another type
	o.Workers, _ = redis.Strings(replies[1], nil)
	processed, _ := redis.Bytes(replies[2], nil)
	o.Processed = count(processed)
	o.Failed, _ = redis.Int64(replies[3], nil)
	return nil
}

func (s *Store) sums(c conn, o *Overview) error {
	var commands [][]any
	for _, name := range o.Queues {
		commands = append(commands, []any{"LLEN", s.keys.queue(name)})
	}
	for _, id := range o.Workers {
		commands = append(commands, []any{"STRLEN", s.keys.worker(id)})
	}
	replies, err := o.read(c, commands...)
	if err != nil {
		return err
	}
	for i, reply := range replies {
		n, _ := redis.Int64(reply, nil) // 0 for a key of another type
		switch {
		case i < len(o.Queues):
			o.Pending += n
		case n > 0:
			o.Working++
		}
	}
	return nil
}

// read sends commands, each with a key, and notes the keys of another type.
func (o *Overview) read(c conn, commands ...[]any) ([]any, error) {
	replies, err := c.pipeline(commands...)
	if err != nil {
		return nil, err
	}
	for i, reply := range replies {
		damage, err := otherType(commands[i][1].(string), reply)
		if err != nil {
			return nil, err
		}
		if damage != nil {
			o.Damage = append(o.Damage, damage)
		}
	}
	return replies, nil
}
