// Package cron reads the cron lines and durations of resque-scheduler, as Ruby's
// rufus-scheduler and fugit do, and computes the times that they name.
package cron

import (
	"math/bits"
	"time"
)

// maxSteps is fugit's limit for the steps that Next takes. If a line needs more,
// Ruby's scheduler ends, so Parse refuses it.
const maxSteps = 2048

// Schedule is a cron line. The zero value matches no time; Parse makes one.
type Schedule struct {
	// MondayWeeks counts the weeks of "mon%2" as fugit 1.12 and later do: they
	// begin on Mondays, and the week of 2018-12-31 is number 0. By default they
	// begin on Tuesdays, and the week of 2019-01-01 is number 1, as in older
	// versions. The two differ by a week on all days but Monday.
	MondayWeeks bool

	text     string
	zone     *time.Location // nil: the location of the time that Next starts from
	seconds  uint64         // bit n is set if n matches
	minutes  uint64
	hours    uint64
	months   uint64
	days     *monthDays // nil if any day matches
	weekdays *[7]weekday
}

// monthDays are days of the month: the first is bit 1. In fromEnd, the last is bit 1.
type monthDays struct{ days, fromEnd uint64 }

// weekday selects the days of one weekday that match: all, the nth of a month, or every
// mod-th week.
type weekday struct {
	matches   bool
	nth       int // 1 is the first of the month, -1 the last, 0 any
	mod, plus int // if mod is not 0, every mod-th week
}

// String returns the text that Parse read.
func (s *Schedule) String() string { return s.text }

// Location returns the time zone that the line names, or nil.
func (s *Schedule) Location() *time.Location { return s.zone }

// HasWeeks reports whether MondayWeeks makes a difference.
func (s *Schedule) HasWeeks() bool {
	if s.weekdays == nil {
		return false
	}
	for _, w := range s.weekdays {
		if w.matches && w.mod > 1 {
			return true
		}
	}
	return false
}

// Next returns the first time after from that matches, in from's location, which
// is also the time zone of a line that names none. A local time that does not
// exist on a day, in spring, is skipped. A local time that exists twice, in
// autumn, matches twice, unless from has the wall clock of the first: in other
// words, it matches once if from is in the zone of the line, as in fugit. ok is
// false if there is no such time within a few years.
func (s *Schedule) Next(from time.Time) (next time.Time, ok bool) {
	zone := s.zone
	if zone == nil {
		zone = from.Location()
	}
	// Ruby: Fugit::Cron#next_time.
	from = time.Unix(from.Unix(), 0).In(from.Location())
	wall, after := wallClock(from), from.Unix()
	t := from.In(zone)
	period := zoneOf(t)
	for range maxSteps {
		switch {
		case t.Unix() == after:
			t = t.Add(time.Second)
		case !has(s.months, int(t.Month())):
			t = nextMonth(t)
		case !s.matchesDay(t):
			t = nextDay(t)
		case !has(s.hours, t.Hour()):
			t = t.Add(time.Hour - time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second)
		case !has(s.minutes, t.Minute()):
			// Clocks change at full hours, so the jump skips no change.
			t = t.Add(time.Duration(nextIn(s.minutes, t.Minute(), 60)-t.Minute())*time.Minute - time.Duration(t.Second())*time.Second)
		case !has(s.seconds, t.Second()):
			t = t.Add(time.Duration(nextIn(s.seconds, t.Second(), 60)-t.Second()) * time.Second)
		case wallClock(t) == wall && zoneOf(t) != period:
			wall, after, period = wallClock(t), t.Unix(), zoneOf(t)
		default:
			return t.In(from.Location()), true
		}
	}
	return time.Time{}, false
}

func has(set uint64, n int) bool { return set>>n&1 == 1 }

// nextIn returns the first member of set after n, or end if there is none.
func nextIn(set uint64, n, end int) int { return min(n+1+bits.TrailingZeros64(set>>(n+1)), end) }

// wallClock is what a clock shows at t, in seconds.
func wallClock(t time.Time) int64 {
	_, offset := t.Zone()
	return t.Unix() + int64(offset)
}

// timeZone is the part of the year that t is in: two of them may have the same
// offset, and two may have the same name.
type timeZone struct {
	name   string
	offset int
}

func zoneOf(t time.Time) timeZone {
	name, offset := t.Zone()
	return timeZone{name, offset}
}

// matchesDay reports whether t's day matches. If the line names days of the month
// and days of the week, either is enough.
func (s *Schedule) matchesDay(t time.Time) bool {
	switch {
	case s.days == nil && s.weekdays == nil:
		return true
	case s.days == nil:
		return s.matchesWeekday(t)
	case s.weekdays == nil:
		return s.days.match(t)
	default:
		return s.days.match(t) || s.matchesWeekday(t)
	}
}

func (d *monthDays) match(t time.Time) bool {
	return has(d.days, t.Day()) || has(d.fromEnd, daysIn(t)-t.Day()+1)
}

func (s *Schedule) matchesWeekday(t time.Time) bool {
	w := s.weekdays[t.Weekday()]
	switch {
	case !w.matches:
		return false
	case w.nth > 0:
		return (t.Day()-1)/7+1 == w.nth
	case w.nth < 0:
		return (daysIn(t)-t.Day())/7+1 == -w.nth
	case w.mod == 0:
		return true
	case s.MondayWeeks:
		return floorMod(weekFromMonday(t)-w.plus, w.mod) == 0
	default:
		return floorMod(weekFromTuesday(t)+w.plus, w.mod) == 0
	}
}

// weekFromMonday counts weeks by dates. Ruby: EtOrbi::EoTime#rweek since 1.4.
func weekFromMonday(t time.Time) int {
	days := int(wallClock(t)-time.Date(2018, 12, 31, 0, 0, 0, 0, time.UTC).Unix()) / 86400
	return floorDiv(days, 7)
}

// weekFromTuesday counts weeks by seconds, so that in summer a week may begin an
// hour late. Ruby: EtOrbi::EoTime#rweek before 1.4.
func weekFromTuesday(t time.Time) int {
	first := time.Date(2019, 1, 1, 0, 0, 0, 0, t.Location())
	return floorDiv(int(t.Unix()-first.Unix()), 7*86400) + 1
}

func floorDiv(a, b int) int { return (a - floorMod(a, b)) / b }

func floorMod(a, b int) int { return (a%b + b) % b }

// daysIn returns the number of days of t's month.
func daysIn(t time.Time) int {
	return time.Date(t.Year(), t.Month()+1, 0, 12, 0, 0, 0, time.UTC).Day()
}

// nextMonth returns the beginning of the month after t's.
func nextMonth(t time.Time) time.Time {
	// A jump to noon of the last day. If a zone skipped a day, it may go too far.
	last := t.Add(time.Duration(daysIn(t)-t.Day())*24*time.Hour + 12*time.Hour - timeOfDay(t))
	if last.Month() == t.Month() {
		t = last
	}
	return nextDay(t)
}

// nextDay returns the beginning of the day after t's, which is not midnight if
// clocks skip it. time.Date would not do: it moves a time that does not exist.
func nextDay(t time.Time) time.Time {
	next := t.Add(24*time.Hour - timeOfDay(t))
	if next.Day() == t.Day() { // clocks went back
		next = next.Add(24*time.Hour - timeOfDay(next))
	}
	if midnight := next.Add(-timeOfDay(next)); midnight.Day() == next.Day() {
		return midnight
	}
	begin, _ := next.ZoneBounds()
	return begin
}

func timeOfDay(t time.Time) time.Duration {
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
}
