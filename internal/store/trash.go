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

// Trash is a list that keeps removed entries for a limited time. With the zero Trash
// nothing is kept.
type Trash struct {
	Token string
	Keep  time.Duration
}

// Trashed is a trash that can be restored.
type Trashed struct {
	Token   string
	Removed time.Time
	Entries int64
	Left    time.Duration // until it expires
}

// trashesKnown is the number of trashes that the index has at most. trashIndexKept is
// how long the index is kept after the last one was added, unless that is kept longer.
const (
	trashesKnown   = 500
	trashIndexKept = 7 * 24 * time.Hour
)

// NoteTrash adds a trash to the list that Trashes returns. Call it before the first entry
// moves to the trash: Redis may refuse this command, when its memory is full, and not the
// move, and then the entries could not be found again.
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
		return fmt.Errorf("adding the trash %q to the index: %w", t.Token, err)
	}
	return nil
}

// ForgetUnused removes a trash from the list if nothing was moved to it.
func (s *Store) ForgetUnused(ctx context.Context, t Trash, moved int64) error {
	if t.Keep <= 0 || moved > 0 {
		return nil
	}
	return s.ForgetTrash(ctx, t.Token)
}

// ForgetTrash removes a trash that was restored from the list.
func (s *Store) ForgetTrash(ctx context.Context, token string) error {
	err := s.with(ctx, func(c conn) error {
		_, err := c.do("ZREM", s.keys.trashIndex(), token)
		return err
	})
	if err != nil {
		return fmt.Errorf("removing the trash %q from the index: %w", token, err)
	}
	return nil
}

// Trashes returns the trashes that can be restored, the latest first.
func (s *Store) Trashes(ctx context.Context) ([]Trashed, error) {
	var all []Trashed
	err := s.with(ctx, func(c conn) error {
		reply, err := redis.Values(c.script(s.scripts.trashes, 1, s.keys.trashIndex(), s.keys.trash("")))
		for err == nil && len(reply) > 0 {
			var t Trashed
			var at float64
			var left int64
			reply, err = redis.Scan(reply, &t.Token, &at, &t.Entries, &left)
			t.Removed, t.Left = time.UnixMilli(int64(at)).UTC(), time.Duration(max(left, 0))*time.Millisecond
			all = append(all, t)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the trashes: %w", err)
	}
	return all, nil
}

// TrimTrash removes the oldest trashes until all together have at most limit entries.
// It never removes the latest one.
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
		return fmt.Errorf("removing the oldest trashes: %w", err)
	}
	return nil
}

// TrashPart returns at most count entries of a trash.
func (s *Store) TrashPart(ctx context.Context, token string, first, count int64) (entries [][]byte, err error) {
	err = s.with(ctx, func(c conn) (err error) {
		entries, err = redis.ByteSlices(c.do("LRANGE", s.keys.trash(token), first, first+count-1))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the trash %q: %w", token, err)
	}
	return entries, nil
}

// TrashedList returns the name of the failure list or queue that a trash's token
// contains.
func TrashedList(token string) (name string, isQueue bool) {
	_, name, _ = strings.Cut(token, ":")
	return strings.TrimPrefix(name, QueueTrash), strings.HasPrefix(name, QueueTrash)
}

// QueueTrash is what precedes the name in the token of a trash of a queue's jobs.
const QueueTrash = "queue:"

// refusedIn returns the errors among the replies of a pipeline, joined.
func refusedIn(replies []any) error {
	var errs []error
	for _, reply := range replies {
		if refused, ok := reply.(redis.Error); ok {
			errs = append(errs, refused)
		}
	}
	return errors.Join(errs...)
}
