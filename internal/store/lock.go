package store

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

var (
	//go:embed lock.lua
	lockLua string
	//go:embed unlock.lua
	unlockLua string
)

// LockGap is longer than Ruby needs between the lock of a job and its push. Meanwhile the lock
// seems to have no job.
const LockGap = 5 * time.Second

// RubyLock is a lock of one of Ruby's plugins. It lives for TTL after it is taken or, if
// the job is delayed, after the job is due.
type RubyLock struct {
	Key string
	TTL time.Duration

	// If Time is set, the text of the lock is a second: that in which it is taken, or the
	// job is due, plus Seconds. After it the lock is free. Otherwise the text is Text.
	Time    bool
	Seconds int64
	Text    string

	// Index is the key of the set of all such locks, and Member the lock's name in it.
	// They are empty if there is no such set.
	Index, Member string

	// Begun is the key in which it is noted that the lock was freed when the job began. It is
	// empty if the lock is freed when the job has ended.
	Begun string
}

func (l RubyLock) form() string {
	if l.Time {
		return "time"
	}
	return "text"
}

func (l RubyLock) value() string {
	if l.Time {
		return strconv.FormatInt(l.Seconds, 10)
	}
	return l.Text
}

// marked is like value, with a token in the text.
func (l RubyLock) marked(token string) string {
	if l.Time {
		return l.value() + " " + token
	}
	return l.Text[:len(l.Text)-1] + `,"goresque":` + l.mark(token) + "}"
}

// mark is a token as it is in the text.
func (l RubyLock) mark(token string) string {
	if l.Time {
		return token
	}
	quoted, _ := json.Marshal(token) // of a string, which is valid
	return string(quoted)
}

// keys are the keys that the functions of lock.lua take.
func (l RubyLock) keys() []any { return []any{l.Key, cmp.Or(l.Index, l.Key)} }

// ended are the keys for the end of a job.
func (l RubyLock) ended() []any {
	if l.Begun == "" {
		return l.keys()
	}
	return append(l.keys(), l.Begun)
}

// Taken takes the lock when a job is pushed. The job is refused if the lock is held.
func (l RubyLock) Taken() []Effect {
	effects := []Effect{{command: "LOCK", key: l.Key, args: []any{l.form(), l.value(), l.TTL.Milliseconds()}}}
	if l.Index != "" {
		effects = append(effects, Effect{command: "SADD", key: l.Index, args: []any{l.Member}})
	}
	return effects
}

// Unheld refuses to push a job while the lock is held.
func (l RubyLock) Unheld() Effect {
	return Effect{command: "UNLOCKED", key: l.Key, args: []any{l.form()}}
}

// Freed frees the lock of a job that began some time ago, unless another job has taken the
// lock since.
func (l RubyLock) Freed(age time.Duration) Effect {
	e := named("UNLOCK", l.ended(), l.TTL.Milliseconds(), age.Milliseconds(), l.Member)
	e.unlocks = age.Milliseconds() == 0 && l.TTL > 0 && l.Index == "" && l.Begun == "" // see locks.own
	return e
}

// Kept keeps the lock of a job that is performed again when it is due, at once if due is
// the zero time. It takes the lock again if it is free. Otherwise it is like Freed.
func (l RubyLock) Kept(age time.Duration, due time.Time) Effect {
	second := int64(0)
	if !due.IsZero() {
		second = due.Unix()
	}
	return named("RELOCK", l.ended(), l.TTL.Milliseconds(), age.Milliseconds(), second, l.form(), l.value(), l.Member)
}

// Held is what a job needs to be performed with the lock, which gets the job's token. It
// is refused while another job has the lock.
func (l RubyLock) Held(token string) Need {
	return Need{name: "TAKE", keys: l.keys(), args: []any{l.form(), l.marked(token), l.mark(token), l.TTL.Milliseconds(), l.Member}}
}

// FreedAtBegin is the need of a job whose lock is freed when it is performed. It is never
// refused. l must have Begun.
func (l RubyLock) FreedAtBegin() Need {
	return Need{name: "UNLOCK", keys: append(l.keys(), l.Begun), args: []any{l.Member, l.TTL.Milliseconds()}}
}

// Dropped frees the lock if it has the job's token.
func (l RubyLock) Dropped(token string) Effect {
	return named("UNHOLD", l.keys(), l.mark(token), l.Member)
}

// Unlock frees locks whatever jobs have them, if they have the expected texts, and returns
// how many it has freed.
func (s *Store) Unlock(ctx context.Context, locks []RubyLock, texts []string) (freed int64, err error) {
	var c call
	for i, l := range locks {
		if texts[i] == "" {
			continue
		}
		c.keys = append(c.keys, l.keys()...)
		c.args = append(c.args, texts[i], l.Member)
	}
	if len(c.keys) == 0 {
		return 0, nil
	}
	err = s.with(ctx, func(on conn) (err error) {
		freed, err = redis.Int64(on.script(s.scripts.unlock, c.list()...))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("freeing %d locks: %w", len(locks), err)
	}
	return freed, nil
}

// LockTexts returns the texts of locks, empty for those that do not exist or that are not
// strings, and how long each still lives, negative if it does not expire.
func (s *Store) LockTexts(ctx context.Context, locks []RubyLock) (texts []string, lives []time.Duration, err error) {
	if len(locks) == 0 {
		return nil, nil, nil
	}
	commands := make([][]any, 0, 2*len(locks))
	for _, l := range locks {
		commands = append(commands, []any{"GET", l.Key}, []any{"PTTL", l.Key})
	}
	err = s.with(ctx, func(c conn) error {
		replies, err := c.pipeline(commands...)
		if err != nil {
			return err
		}
		for i := 0; i+1 < len(replies); i += 2 {
			text, err := redis.String(replies[i], nil)
			var answer redis.Error
			if err != nil && !errors.Is(err, redis.ErrNil) && !errors.As(err, &answer) {
				return err
			}
			ms, err := redis.Int64(replies[i+1], nil)
			if err != nil {
				return err
			}
			texts, lives = append(texts, text), append(lives, time.Duration(ms)*time.Millisecond)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("reading locks: %w", err)
	}
	return texts, lives, nil
}

// IsLock reports whether a key, without the namespace, begins as those of locks do.
func IsLock(name string) bool {
	prefixes := []string{"lock:", "loner:lock:", "loners:queue:", Queueing + ":resque_uniqueness:", Performing + ":resque_uniqueness:"}
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// ScanLocks returns the keys of locks, without the namespace, sorted. It looks at about most
// parts of 1,000 keys, at all keys if most is 0, and reports whether there are more.
func (s *Store) ScanLocks(ctx context.Context, most int) (names []string, more bool, err error) {
	const glob = "[lqp][oue]*" // of all prefixes, in one scan
	cursor := "0"
	for parts := 1; ; parts++ {
		var part []string
		if part, cursor, err = s.scanGlob(ctx, cursor, glob); err != nil {
			return nil, false, fmt.Errorf("looking for locks: %w", err)
		}
		for _, name := range part {
			if IsLock(name) {
				names = append(names, name)
			}
		}
		if cursor == "0" || parts == most {
			slices.Sort(names)
			return slices.Compact(names), cursor != "0", nil // SCAN may return a key twice
		}
	}
}
