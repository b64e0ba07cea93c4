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
	MoveAndRead(ctx context.Context, m store.Master, move store.Move, members []string, jobs int) (moved bool, due []store.DueSecond, err error)
}

// moveTime is how long one turn of the mover may take. A move in progress is finished.
const moveTime = 50 * time.Millisecond

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

// perform moves due jobs, as many in one step as one script may move.
//
// Ruby: Resque::Scheduler.handle_delayed_items.
func (m *mover) perform(ctx context.Context, t turn) (next time.Time, err error) {
	due := m.readable(t)
	if len(due) == 0 {
		return t.next, nil
	}
	read, err := m.store.ReadDue(ctx, due, m.cfg.BatchSize)
	for began := time.Now(); err == nil && len(read) > 0; {
		m.noteUnreadable(read, t.now)
		p := m.plan(ctx, read, t.now)
		if len(p.move.Seconds) == 0 {
			break // the next turn leaves the unreadable ones out
		}
		due = m.rest(due, read)
		more := len(due) > 0 && time.Since(began) < moveTime && ctx.Err() == nil
		if read, err = m.move(ctx, t.master, p, due, more); !more {
			break
		}
	}
	return t.now, err
}

// rest returns the due seconds of which not all jobs were read.
func (m *mover) rest(due []string, read []store.DueSecond) []string {
	jobs, bytes := 0, 0
	for _, second := range read {
		jobs += len(second.Jobs)
		for _, job := range second.Jobs {
			bytes += len(job)
		}
	}
	if jobs < m.cfg.BatchSize && bytes < store.MoveBytes {
		return due[len(read):]
	}
	return due[len(read)-1:]
}

// move does what is planned and, if more is true, reads the next jobs of due.
func (m *mover) move(ctx context.Context, master store.Master, p *plan, due []string, more bool) (read []store.DueSecond, err error) {
	var moved bool
	do := func() {
		if more {
			moved, read, err = m.store.MoveAndRead(ctx, master, p.move, due, m.cfg.BatchSize)
		} else {
			moved, err = m.store.Move(ctx, master, p.move)
		}
	}
	do()
	for not := (*store.NotListError)(nil); errors.As(err, &not); do() { // one queue less each time
		p.refuse(not)
	}
	switch {
	case err != nil:
		return nil, err
	case !moved:
		return nil, nil // another program has changed a list: look again
	}
	p.log()
	return read, nil
}

// readable returns the due seconds without those that could not be read a short time ago.
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
