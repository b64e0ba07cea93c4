package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// LockState is what a lock holds.
type LockState struct {
	Name  string        // without the namespace
	Text  string        // its first kilobyte
	Left  time.Duration // until it expires; 0 if it does not
	Gone  bool          // it does not exist
	Other bool          // the key is not a string
}

// LockStates reads locks by their names, in one round trip for 1,000.
func (s *Store) LockStates(ctx context.Context, names []string) ([]LockState, error) {
	const atOnce, beginning = 1000, 1 << 10
	states := make([]LockState, len(names))
	for first := 0; first < len(names); first += atOnce {
		part := states[first:min(first+atOnce, len(names))]
		var commands [][]any
		for i := range part {
			part[i].Name = names[first+i]
			key := s.rdb.Key(part[i].Name)
			commands = append(commands, []any{"GETRANGE", key, 0, beginning - 1}, []any{"PTTL", key})
		}
		err := s.with(ctx, func(c conn) error {
			replies, err := c.pipeline(commands...)
			for i := range part {
				if err != nil {
					break
				}
				err = part[i].scan(replies[2*i], replies[2*i+1])
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading %d locks: %w", len(names), err)
		}
	}
	return states, nil
}

func (l *LockState) scan(text, ttl any) (err error) {
	var answer redis.Error
	if l.Text, err = redis.String(text, nil); errors.As(err, &answer) {
		l.Other = true
	} else if err != nil {
		return err
	}
	ms, err := redis.Int64(ttl, nil)
	l.Gone = ms == -2
	l.Left = time.Duration(max(ms, 0)) * time.Millisecond
	return err
}

// LockNamed returns the lock of a name, for Unlock.
func (s *Store) LockNamed(name string) RubyLock {
	l := RubyLock{Key: s.rdb.Key(name)}
	for _, state := range []string{Queueing, Performing} {
		if strings.HasPrefix(name, state+":resque_uniqueness:") {
			l.Index, l.Member = s.keys.uniquenessIndex(state), name
		}
	}
	return l
}
