package scheduler

import (
	"time"

	"github.com/goresque/goresque/internal/cron"
)

// times are the times of an entry.
type times struct {
	cron    *cron.Schedule // nil for an interval
	every   time.Duration
	firstIn time.Duration
	zone    *time.Location // of cron lines that name none
}

// timesOf returns the times of an entry whose texts are valid. ok is false if it has none.
func timesOf(e Entry, zone *time.Location, mondayWeeks bool) (t times, ok bool, err error) {
	t = times{every: e.Every, firstIn: e.FirstIn, zone: zone}
	if e.Cron != "" {
		if t.cron, err = cron.Parse(e.Cron); err != nil {
			return t, false, err
		}
		t.cron.MondayWeeks = mondayWeeks
	}
	return t, t.cron != nil || t.every > 0, nil
}

// first returns the slot of an entry that was never seen before: the time before its
// first one, so that no new start of a scheduler moves the first time.
func (t times) first(now time.Time) time.Time {
	switch {
	case t.cron != nil:
		return now.Add(t.firstIn)
	case t.firstIn > 0:
		return now.Add(t.firstIn - t.every)
	default:
		return now
	}
}

// after returns the first time after slot, zero if there is none.
func (t times) after(slot time.Time) time.Time {
	if t.cron == nil {
		return slot.Add(t.every)
	}
	next, _ := t.cron.Next(slot.In(t.zone))
	return next
}

// latest returns the latest time after slot and not after now that is at most grace ago.
// It is zero if there is none.
func (t times) latest(slot, now time.Time, grace time.Duration) time.Time {
	first := t.after(slot)
	if first.IsZero() || first.After(now) {
		return time.Time{}
	}
	var last time.Time
	if t.cron == nil {
		last = first.Add(now.Sub(first) / t.every * t.every)
	} else {
		last = t.latestCron(first, now, grace)
	}
	if last.IsZero() || now.Sub(last) > grace {
		return time.Time{}
	}
	return last
}

// latestCron looks at the last minute, hour and day before it looks at all of grace, as
// there may be a time in each second.
func (t times) latestCron(first, now time.Time, grace time.Duration) time.Time {
	for _, back := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour, grace} {
		from := now.Add(-min(back, grace) - time.Second)
		last := first
		if from.After(first) {
			last = t.after(from)
		}
		if last.IsZero() || last.After(now) {
			continue
		}
		for next := t.after(last); !next.IsZero() && !next.After(now); next = t.after(next) {
			last = next
		}
		return last
	}
	return time.Time{}
}
