package resque

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
)

// Locks are the locks of jobs: those of package unique and of the Ruby plugins resque-lock,
// resque-lock-timeout, resque-loner and resque-uniqueness. It is safe for concurrent use.
type Locks struct {
	client *Client
	rest   func(ctx context.Context, d time.Duration) bool // waits for d; false if ctx ends first
}

// Locks returns the locks in the client's Redis. Give the client the classes, with
// [Client.WithJobs]: for other classes it looks for the keys that the plugins make of the
// class and all arguments.
func (c *Client) Locks() *Locks { return &Locks{client: c, rest: backoff.Sleep} }

// Known reports whether the client knows classes whose jobs have locks.
func (l *Locks) Known() bool { return l.client.locks().known() }

// Lock is a lock of a job.
type Lock struct {
	Key    string // without the namespace
	Plugin string // whose key it is, such as resque-lock
	Class  string // empty if the key does not have it and no job was found
	Text   string // what the lock holds: of a longer text the first kilobyte
	Left   time.Duration
	// Damaged means that the key is not a string. Plugins and Go cannot use such a lock.
	Damaged bool

	Holder LockHolder
}

// LockHolder is the job that has a lock.
type LockHolder struct {
	State  LockState
	Queue  string    // of the job
	Worker string    // that performs the job
	Due    time.Time // of a delayed job
	Why    string    // why it is not known which job it is
}

// LockState is the state of the job that has a lock.
type LockState string

// The values of LockState.
const (
	LockQueued  LockState = "queued"
	LockDelayed LockState = "delayed" // also a job that waits for another attempt
	LockRunning LockState = "running"
	LockNoJob   LockState = "no job"  // no job has the lock
	LockUnknown LockState = "unknown" // see Why
)

// LockListOptions are the options of [Locks.List]. The zero value looks at everything.
type LockListOptions struct {
	// Parts is how many parts of 1,000 keys of Redis are looked at for locks, and Jobs and
	// Bytes how many waiting jobs, and bytes of them, to find who has the locks. Defaults to
	// no limit.
	Parts       int
	Jobs, Bytes int64
}

// LockList is the result of [Locks.List].
type LockList struct {
	Locks    []Lock // sorted by key
	MoreKeys bool   // there are more keys than were looked at
	MoreJobs bool   // there are more jobs than were looked at: a lock may be of one of them
}

// List returns the locks and who has them. It reads the running, the queued and the delayed
// jobs until it has found the jobs of all locks.
func (l *Locks) List(ctx context.Context, how LockListOptions) (LockList, error) {
	names, more, err := l.client.store.ScanLocks(ctx, how.Parts)
	if err != nil {
		return LockList{}, wrapped(err)
	}
	states, err := l.client.store.LockStates(ctx, names)
	if err != nil {
		return LockList{}, wrapped(err)
	}
	list := LockList{MoreKeys: more}
	for _, s := range states {
		if !s.Gone {
			lock := Lock{Key: s.Name, Text: s.Text, Left: s.Left, Damaged: s.Other}
			lock.Plugin, lock.Class = pluginOf(s.Name)
			list.Locks = append(list.Locks, lock)
		}
	}
	search := newLockSearch(l.client, list.Locks, how)
	if err := search.run(ctx); err != nil {
		return LockList{}, err
	}
	list.MoreJobs = search.more
	return list, nil
}

// ErrNoLock is wrapped by the error of [Locks.Release] if a lock does not exist.
var ErrNoLock = errors.New("resque: the lock does not exist")

// Release frees locks, whatever jobs have them, and returns how many it has freed. If one
// cannot be freed, the others are. A job whose lock is freed stays, and an equal one can be
// enqueued.
func (l *Locks) Release(ctx context.Context, keys ...string) (released int64, err error) {
	var wrong []error
	var locks []store.RubyLock
	for _, key := range keys {
		if !store.IsLock(key) {
			wrong = append(wrong, fmt.Errorf("resque: %q is not the key of a lock", key))
			continue
		}
		locks = append(locks, l.client.store.LockNamed(key))
	}
	states, err := l.client.store.LockStates(ctx, keys)
	if err != nil {
		return 0, wrapped(err)
	}
	for _, s := range states {
		switch {
		case !store.IsLock(s.Name):
		case s.Gone:
			wrong = append(wrong, fmt.Errorf("%w: %q", ErrNoLock, s.Name))
		case s.Other:
			wrong = append(wrong, fmt.Errorf("resque: the key %q is not a string, so it is not a lock: delete it with redis-cli", s.Name))
		}
	}
	texts, _, err := l.client.store.LockTexts(ctx, locks)
	if err == nil {
		released, err = l.client.store.Unlock(ctx, locks, texts)
	}
	return released, errors.Join(append(wrong, wrapped(err))...)
}

// ReleaseUnheld frees the locks that no job has, and returns them. To be sure, it looks
// twice at all jobs, and waits 5 seconds in between: Ruby's plugins take the lock of a job
// before they push the job. It does not wait if all locks have jobs. Locks of which it is not
// known which job has them stay: all, if how allows fewer jobs than there are.
func (l *Locks) ReleaseUnheld(ctx context.Context, how LockListOptions) (released []Lock, err error) {
	list, err := l.List(ctx, how)
	if err != nil {
		return nil, err
	}
	first := unheld(list.Locks)
	if len(first) == 0 {
		return nil, nil
	}
	locks := make([]store.RubyLock, len(first))
	for i, lock := range first {
		locks[i] = l.client.store.LockNamed(lock.Key)
	}
	texts, _, err := l.client.store.LockTexts(ctx, locks)
	if err != nil {
		return nil, wrapped(err)
	}
	if !l.rest(ctx, store.LockGap) {
		return nil, context.Cause(ctx)
	}
	if list, err = l.List(ctx, how); err != nil {
		return nil, err
	}
	still := map[string]bool{}
	for _, lock := range unheld(list.Locks) {
		still[lock.Key] = true
	}
	for i, lock := range first {
		if !still[lock.Key] || !strings.HasPrefix(texts[i], lock.Text) {
			continue
		}
		n, err := l.client.store.Unlock(ctx, locks[i:i+1], texts[i:i+1])
		if err != nil {
			return released, wrapped(err)
		}
		if n > 0 {
			released = append(released, lock)
		}
	}
	return released, nil
}

func unheld(all []Lock) (some []Lock) {
	for _, lock := range all {
		if lock.Holder.State == LockNoJob && !lock.Damaged {
			some = append(some, lock)
		}
	}
	return some
}

// pluginOf returns the plugin of a lock, and its class if its key has it.
func pluginOf(name string) (plugin, class string) {
	head, rest, _ := strings.Cut(name, ":")
	switch head {
	case "lock":
		if c, _, ok := strings.Cut(rest, "-["); ok && classAt(c) == c {
			return "resque-lock", c
		}
		return "resque-lock-timeout", classAt(rest)
	case "loner":
		return "resque-lock-timeout", classAt(strings.TrimPrefix(rest, "lock:"))
	case "loners":
		return "resque-loner", ""
	}
	var job struct {
		Class string `json:"class"`
	}
	_ = json.Unmarshal([]byte(strings.TrimPrefix(rest, "resque_uniqueness:")), &job) // without a class if it is not JSON
	return "resque-uniqueness", job.Class
}

// classAt returns the name of a class at the beginning of a text.
func classAt(text string) string {
	n := 0
	for n < len(text) {
		switch c := text[n]; {
		case c == '_', '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c >= 0x80:
			n++
		case n > 0 && strings.HasPrefix(text[n:], "::"):
			n += 2
		default:
			return text[:n]
		}
	}
	return text
}
