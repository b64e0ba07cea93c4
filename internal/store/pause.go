package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// PauseAll pauses or resumes all workers of the namespace, Ruby's included.
//
// Ruby: Resque::Worker#paused? reads the key; no method writes it.
func (s *Store) PauseAll(ctx context.Context, paused bool) error {
	if !paused {
		return s.pause(ctx, "DEL", s.keys.pauseAll(), s.keys.pauseEvery())
	}
	return s.pause(ctx, "SET", s.keys.pauseAll(), "true")
}

// PauseQueue pauses or resumes one queue. Ruby's workers leave a paused queue alone if
// they have the resque-pause plugin.
func (s *Store) PauseQueue(ctx context.Context, queue string, paused bool) error {
	if !paused {
		return s.pause(ctx, "DEL", s.keys.pauseQueue(queue))
	}
	return s.pause(ctx, "SET", s.keys.pauseQueue(queue), "true")
}

func (s *Store) pause(ctx context.Context, command string, args ...any) error {
	err := s.with(ctx, func(c conn) error {
		_, err := c.do(command, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("pausing or resuming: %w", err)
	}
	return nil
}

// Pauses is what is paused.
type Pauses struct {
	All    bool     // all workers
	Queues []string // those that are known and paused by name, in order
}

// Pauses reads which workers and queues are paused, in two round trips.
//
// Ruby: Resque::Worker#paused?, and ResquePauseHelper.paused? of the resque-pause plugin.
func (s *Store) Pauses(ctx context.Context) (p Pauses, err error) {
	err = s.with(ctx, func(c conn) error {
		replies, err := c.pipeline(
			[]any{"SMEMBERS", s.keys.queues()}, []any{"MGET", s.keys.pauseAll()}, []any{"EXISTS", s.keys.pauseEvery()})
		if err != nil {
			return err
		}
		if _, err := otherType(s.keys.queues(), replies[0]); err != nil {
			return err
		}
		queues, _ := redis.Strings(replies[0], nil) // empty for a key of another type
		slices.Sort(queues)
		all, err := redis.Strings(replies[1], nil)
		if err != nil {
			return err
		}
		every, err := redis.Bool(replies[2], nil)
		if err != nil {
			return err
		}
		p.All = every || strings.EqualFold(strings.TrimSpace(all[0]), "true")
		commands := make([][]any, len(queues))
		for i, queue := range queues {
			commands[i] = []any{"EXISTS", s.keys.pauseQueue(queue)}
		}
		if replies, err = c.pipeline(commands...); err != nil {
			return err
		}
		for i, queue := range queues {
			paused, err := redis.Bool(replies[i], nil)
			if err != nil {
				return err
			}
			if paused {
				p.Queues = append(p.Queues, queue)
			}
		}
		return nil
	})
	if err != nil {
		return Pauses{}, fmt.Errorf("reading what is paused: %w", err)
	}
	return p, nil
}
