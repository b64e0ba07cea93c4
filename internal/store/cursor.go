package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"
)

// cursorTTL is how long the position of a job is kept after the last change.
const cursorTTL = 30 * 24 * time.Hour

// Cursor returns the position of a resumable job, or "" if there is none.
func (s *Store) Cursor(ctx context.Context, payload []byte) (position string, err error) {
	err = s.with(ctx, func(c conn) (err error) {
		position, err = redis.String(c.do("GET", s.keys.cursor(payload)))
		if errors.Is(err, redis.ErrNil) {
			return nil
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reading the position of a job: %w", err)
	}
	return position, nil
}

// SetCursor sets the position of a resumable job.
func (s *Store) SetCursor(ctx context.Context, payload []byte, position string) error {
	err := s.with(ctx, func(c conn) error {
		_, err := c.do("SET", s.keys.cursor(payload), position, "PX", cursorTTL.Milliseconds())
		return err
	})
	if err != nil {
		return fmt.Errorf("saving the position of a job: %w", err)
	}
	return nil
}

// ForgetCursor removes the position of a resumable job.
func (s *Store) ForgetCursor(payload []byte) Effect {
	return Effect{deletes: true, command: "DEL", key: s.keys.cursor(payload)}
}
