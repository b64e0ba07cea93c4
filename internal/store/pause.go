package store

import (
	"context"
	"fmt"
)

// PauseAll stops all workers of the namespace from taking jobs, Ruby's too, or
// lets them go on.
//
// Ruby: Resque::Worker#paused? reads the key; people write it by hand.
func (s *Store) PauseAll(ctx context.Context, paused bool) error {
	if !paused {
		return s.pause(ctx, "DEL", s.keys.pauseAll(), s.keys.pauseEvery())
	}
	return s.pause(ctx, "SET", s.keys.pauseAll(), "true")
}

// PauseQueue stops workers from taking jobs of one queue, or lets them go on.
// Ruby's workers obey with the resque-pause plugin.
func (s *Store) PauseQueue(ctx context.Context, queue string, paused bool) error {
	if !paused {
		return s.pause(ctx, "DEL", s.keys.pauseQueue(queue))
	}
	return s.pause(ctx, "SET", s.keys.pauseQueue(queue), "true")
}

func (s *Store) pause(ctx context.Context, command string, words ...any) error {
	err := s.with(ctx, func(c conn) error {
		_, err := c.do(command, words...)
		return err
	})
	if err != nil {
		return fmt.Errorf("pausing or resuming: %w", err)
	}
	return nil
}
