package scheduler

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// moving is what a mover needs of the store.
type moving interface {
	ReadDue(ctx context.Context, members []string, jobs int) ([]store.DueSecond, error)
	Move(ctx context.Context, m store.Master, move store.Move) (moved bool, err error)
}

// mover is the duty that moves due jobs to their queues.
type mover struct {
	store moving
	cfg   Config
	id    string // of the scheduler, in records of failures

	// unreadable are due seconds that Redis cannot read, because their key is not a
	// list, and when to try them again.
	unreadable map[string]time.Time
}

func newMover(store moving, cfg Config, id string) *mover {
	return &mover{store: store, cfg: cfg, id: id, unreadable: map[string]time.Time{}}
}

// perform moves the first due jobs, as many as one script may move.
//
// Ruby: Resque::Scheduler.handle_delayed_items.
func (m *mover) perform(ctx context.Context, t turn) (next time.Time, err error) {
	due := m.readable(t)
	if len(due) == 0 {
		return t.next, nil
	}
	read, err := m.store.ReadDue(ctx, due, m.cfg.BatchSize)
	if err != nil {
		return time.Time{}, err
	}
	m.noteUnreadable(read, t.now)
	p := m.plan(ctx, read, t.now)
	if len(p.move.Seconds) == 0 {
		return t.now, nil // the next turn leaves the unreadable ones out
	}
	moved, err := m.store.Move(ctx, t.master, p.move)
	var not *store.NotListError
	for errors.As(err, &not) { // one queue less each time
		p.refuse(not)
		moved, err = m.store.Move(ctx, t.master, p.move)
	}
	if err != nil {
		return time.Time{}, err
	}
	if moved {
		p.log()
	}
	return t.now, nil
}

// readable returns the due seconds without those that could not be read lately.
func (m *mover) readable(t turn) []string {
	if len(m.unreadable) == 0 {
		return t.due
	}
	var due []string
	for _, member := range t.due {
		if t.now.After(m.unreadable[member]) {
			due = append(due, member)
		}
	}
	return due
}

// noteUnreadable remembers which seconds cannot be read, and logs each once.
func (m *mover) noteUnreadable(read []store.DueSecond, now time.Time) {
	for _, second := range read {
		_, known := m.unreadable[second.Member]
		if second.Err == nil {
			delete(m.unreadable, second.Member)
			continue
		}
		m.unreadable[second.Member] = now.Add(m.cfg.Interval)
		if !known {
			m.cfg.Logger.Error("a delayed second cannot be read", "second", second.Member, "err", second.Err)
		}
	}
}

// lateness returns how late a second is.
func lateness(member string, now time.Time) time.Duration {
	second, err := strconv.ParseInt(member, 10, 64)
	if err != nil {
		return 0
	}
	return max(now.Sub(time.Unix(second, 0)), 0)
}
