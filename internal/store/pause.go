package store

import (
	"context"
	"fmt"
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
