package scheduler

import (
	"context"
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
