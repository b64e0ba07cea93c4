package scheduler

import (
	"context"
	"errors"
	"time"

	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/store"
)

// Turn is one turn of s. It returns whether there is more to do at once.
func Turn(ctx context.Context, s *Scheduler) (more bool) {
	r := &run{Scheduler: s, redis: &exchange.Outage{Begun: "away", Over: "back", Logger: s.cfg.Logger}}
	return r.turn(ctx) <= 0
}

// Release releases the lock of s.
func Release(ctx context.Context, s *Scheduler) (bool, error) {
	return s.store.ReleaseMaster(ctx, s.master)
}

// Token returns the text that s writes into the lock.
func Token(s *Scheduler) string { return s.master.Token }

// Between calls fn after s has read due jobs and before it moves them, once.
func Between(s *Scheduler, fn func()) { s.mover.store = &between{s.mover.store, fn} }

type between struct {
	moving
	fn func()
}

func (b *between) ReadDue(ctx context.Context, members []string, jobs int) ([]store.DueSecond, error) {
	due, err := b.moving.ReadDue(ctx, members, jobs)
	if b.fn != nil {
		b.fn()
		b.fn = nil
	}
	return due, err
}

// Lateness returns how late a second is.
func Lateness(member string, now time.Time) time.Duration { return lateness(member, now) }

// Recur performs the recurring duty of s once. s must hold the lock.
func Recur(ctx context.Context, s *Scheduler, now time.Time, began bool) (next time.Time, err error) {
	return s.recurring.perform(ctx, turn{master: s.master, now: now, began: began})
}

// ShareToken makes b take a's lock for its own.
func ShareToken(a, b *Scheduler) { b.master = a.master }

// NextOf returns the next time of an entry, and why it does not run.
func NextOf(s *Scheduler, name string) (next time.Time, known bool, err error) {
	it := s.recurring.entries[name]
	if it == nil {
		return time.Time{}, false, nil
	}
	return it.next, true, it.err
}

// ParseConfig reads the configuration of an entry.
func ParseConfig(name, text string) (Entry, error) { return parseConfig(name, []byte(text)) }

// ConfigOf returns the configuration of an entry.
func ConfigOf(e Entry) (string, error) {
	text, err := e.config()
	return string(text), err
}

// LoseReply makes the next call of Fire of s return an error although it was executed.
func LoseReply(s *Scheduler) { s.recurring.store = &lossy{firing: s.recurring.store} }

type lossy struct {
	firing
	lost bool
}

func (l *lossy) Fire(ctx context.Context, m store.Master, at string, firings []store.Firing) ([]store.Fired, error) {
	fired, err := l.firing.Fire(ctx, m, at, firings)
	if err == nil && !l.lost {
		l.lost = true
		return nil, errors.New("the reply was lost")
	}
	return fired, err
}
