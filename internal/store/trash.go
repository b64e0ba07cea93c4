package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

//go:embed trashes.lua
var trashesLua string

// Trash is where what is removed is kept for a while. The zero Trash is none.
type Trash struct {
	Token string
	Keep  time.Duration
}

// Trashed is a trash that can be restored.
type Trashed struct {
	Token   string
	Removed time.Time
	Entries int64
	Left    time.Duration // until it is gone
}

// trashesKnown is how many trashes the index has at most, and trashIndexKept how
// long it is there after the last one, unless that is kept longer.
const (
	trashesKnown   = 500
	trashIndexKept = 7 * 24 * time.Hour
)

// NoteTrash has Trashes list a trash that something was removed to.
func (s *Store) NoteTrash(ctx context.Context, t Trash, removed time.Time) error {
	if t.Keep <= 0 {
		return nil
	}
	index := s.keys.trashIndex()
	err := s.with(ctx, func(c conn) error {
		replies, err := c.pipeline(
			[]any{"ZADD", index, removed.UnixMilli(), t.Token},
			[]any{"ZREMRANGEBYRANK", index, 0, -trashesKnown - 1},
			[]any{"PEXPIRE", index, max(t.Keep, trashIndexKept).Milliseconds()})
		return errors.Join(err, refusedIn(replies))
	})
	if err != nil {
		return fmt.Errorf("noting the trash %q: %w", t.Token, err)
	}
	return nil
}

// ForgetTrash takes a trash that was restored off the list.
func (s *Store) ForgetTrash(ctx context.Context, token string) error {
	err := s.with(ctx, func(c conn) error {
		_, err := c.do("ZREM", s.keys.trashIndex(), token)
		return err
	})
	if err != nil {
		return fmt.Errorf("forgetting the trash %q: %w", token, err)
	}
	return nil
}

// Trashes lists what can be restored, the latest first.
func (s *Store) Trashes(ctx context.Context) ([]Trashed, error) {
	var all []Trashed
	err := s.with(ctx, func(c conn) error {
		words, err := redis.Values(c.script(s.scripts.trashes, 1, s.keys.trashIndex(), s.keys.trash("")))
		for err == nil && len(words) > 0 {
			var t Trashed
			var at float64
			var left int64
			words, err = redis.Scan(words, &t.Token, &at, &t.Entries, &left)
			t.Removed, t.Left = time.UnixMilli(int64(at)).UTC(), time.Duration(max(left, 0))*time.Millisecond
			all = append(all, t)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the trash: %w", err)
	}
	return all, nil
}

// TrimTrash drops the oldest trashes while all together have more entries than
// limit. The latest one stays.
func (s *Store) TrimTrash(ctx context.Context, limit int64) error {
	all, err := s.Trashes(ctx)
	if err != nil {
		return err
	}
	unlink, forget := []any{"UNLINK"}, []any{"ZREM", s.keys.trashIndex()}
	entries := int64(0)
	for i, t := range all {
		if entries += t.Entries; i > 0 && entries > limit {
			unlink, forget = append(unlink, s.keys.trash(t.Token)), append(forget, t.Token)
		}
	}
	if len(unlink) == 1 {
		return nil
	}
	err = s.with(ctx, func(c conn) error {
		replies, err := c.pipeline(unlink, forget)
		return errors.Join(err, refusedIn(replies))
	})
	if err != nil {
		return fmt.Errorf("trimming the trash: %w", err)
	}
	return nil
}

// TrashedList is the list that a trash's token names, or the queue.
func TrashedList(token string) (name string, isQueue bool) {
	_, name, _ = strings.Cut(token, ":")
	return strings.TrimPrefix(name, QueueTrash), strings.HasPrefix(name, QueueTrash)
}

// QueueTrash marks the trash of a queue's jobs, beside that of failures.
const QueueTrash = "queue:"

// refusedIn is what Redis refused of a pipeline's commands.
func refusedIn(replies []any) error {
	var errs []error
	for _, reply := range replies {
		if refused, ok := reply.(redis.Error); ok {
			errs = append(errs, refused)
		}
	}
	return errors.Join(errs...)
}
