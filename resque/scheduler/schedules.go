package scheduler

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// ErrNoSchedule is wrapped by the error of a function that is given a name that no entry
// has.
var ErrNoSchedule = errors.New("scheduler: no such schedule")

// Set stores a persistent entry, or replaces it. It reports whether the entry is new or has
// changed. Go's schedulers with [Config.Dynamic] and Ruby's with DYNAMIC_SCHEDULE read it
// at their next look.
//
// The entry is checked first, because one that Ruby cannot read ends Ruby's schedulers.
// The hooks of the job's definition are not stored.
//
// Ruby: Resque.set_schedule with persist.
func Set(ctx context.Context, client *resque.Client, e Entry) (changed bool, err error) {
	if err := e.check(); err != nil {
		return false, err
	}
	config, err := e.config()
	if err != nil {
		return false, err
	}
	return store.New(client.Redis()).SetSchedule(ctx, e.Name, config)
}

// Remove removes a persistent entry. An entry of [Config.Entries] with the same name then
// runs again. If no persistent entry has the name, the error wraps [ErrNoSchedule].
//
// Ruby: Resque.remove_schedule.
func Remove(ctx context.Context, client *resque.Client, name string) error {
	removed, err := store.New(client.Redis()).RemoveSchedule(ctx, name)
	if err == nil && !removed {
		err = fmt.Errorf("%w among the persistent ones: %q", ErrNoSchedule, name)
	}
	return err
}

// Enable switches an entry on again. If no entry has the name, the error wraps
// [ErrNoSchedule].
func Enable(ctx context.Context, client *resque.Client, name string) error {
	return turnOn(ctx, client, name, true)
}

// Disable switches an entry off: its job is not enqueued at its times. Ruby's schedulers
// ignore this. If no entry has the name, the error wraps [ErrNoSchedule].
func Disable(ctx context.Context, client *resque.Client, name string) error {
	return turnOn(ctx, client, name, false)
}

func turnOn(ctx context.Context, client *resque.Client, name string, on bool) error {
	if _, err := Find(ctx, client, name); err != nil {
		return err
	}
	return store.New(client.Redis()).SwitchSchedule(ctx, name, on)
}

// RunNow enqueues the job of an entry at once, also if the entry is switched off. Its
// times do not change. If no entry has the name, the error wraps [ErrNoSchedule].
//
// Ruby: Resque::Scheduler.enqueue_from_config, which a button of resque-web calls.
func RunNow(ctx context.Context, client *resque.Client, name string) (resque.Receipt, error) {
	return runNow(ctx, client, name, func(_ Schedule, job resque.Job) (resque.Job, error) { return job, nil })
}

// runNow enqueues the job of an entry after change.
func runNow(ctx context.Context, client *resque.Client, name string, change func(Schedule, resque.Job) (resque.Job, error)) (resque.Receipt, error) {
	s, err := Find(ctx, client, name)
	if err != nil {
		return resque.Receipt{}, err
	}
	if s.Job.Class == "" {
		return resque.Receipt{}, fmt.Errorf("scheduler: the job of schedule %q is not known: %w", name, s.Err)
	}
	job, err := s.job(nil)
	if err == nil {
		job, err = change(s, job)
	}
	if err != nil {
		return resque.Receipt{}, err
	}
	job, _ = client.Renewed(client.WithPolicies(job))
	return client.Enqueue(ctx, job)
}

// Schedule is an entry with its state, for programs that show schedules.
type Schedule struct {
	Entry
	Static  bool      // in Config.Entries of the master, not persistent
	Running bool      // a Go master has loaded it
	Off     bool      // switched off
	Last    time.Time // when it last fired; zero if never
	Err     error     // why it does not run

	times times
	slot  time.Time
	now   time.Time // by Redis's clock
}

// Next returns the next n times of the entry, or fewer if there are no more. The times of
// an interval are not known until a Go scheduler has seen the entry.
func (s Schedule) Next(n int) []time.Time { return s.NextAfter(s.now, n) }

// NextAfter is like [Schedule.Next], for the times after from.
func (s Schedule) NextAfter(from time.Time, n int) []time.Time {
	slot := from
	switch {
	case s.Err != nil, s.times.cron == nil && (s.times.every == 0 || s.slot.IsZero()):
		return nil
	case s.times.cron == nil:
		slot = s.slot
		if missed := from.Sub(slot) / s.times.every; missed > 0 {
			slot = slot.Add(missed * s.times.every)
		}
	case s.slot.After(from): // first_in
		slot = s.slot
	}
	var next []time.Time
	for range n {
		if slot = s.times.after(slot); slot.IsZero() {
			break
		}
		next = append(next, slot)
	}
	return next
}

// Readings returns the next time of the entry and, if versions of fugit, with which Ruby
// reads cron lines, disagree on it, the other one. They disagree on when a week begins, as in
// "0 9 * * tue%2". differ is false if they agree.
func (s Schedule) Readings() (next, other time.Time, differ bool) {
	if s.Err != nil || s.times.cron == nil || !s.times.cron.HasWeeks() {
		return next, other, false
	}
	changed := *s.times.cron
	changed.MondayWeeks = !changed.MondayWeeks
	from := s.now.In(s.times.zone)
	next, _ = s.times.cron.Next(from)
	other, _ = changed.Next(from)
	return next, other, !next.Equal(other)
}

// Schedules returns all entries, sorted by name: the persistent ones, and those in the
// [Config.Entries] of a Go master.
//
// Ruby: Resque.schedule, which only has the static entries of the same process.
func Schedules(ctx context.Context, client *resque.Client) ([]Schedule, error) {
	all, err := store.New(client.Redis()).ReadSchedules(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for name := range all.Persistent {
		names[name] = true
	}
	for name, text := range all.Published {
		var p published
		if json.Unmarshal([]byte(text), &p) == nil && p.Static {
			names[name] = true
		}
	}
	schedules := make([]Schedule, 0, len(names))
	for name := range maps.Keys(names) {
		schedules = append(schedules, read(all, name))
	}
	slices.SortFunc(schedules, func(a, b Schedule) int { return strings.Compare(a.Name, b.Name) })
	return schedules, nil
}

// LastFired returns when each recurring entry was last enqueued, by its name, in one round
// trip. Entries that never were are missing.
//
// Ruby: Resque.get_last_enqueued_at.
func LastFired(ctx context.Context, client *resque.Client) (map[string]time.Time, error) {
	texts, err := store.New(client.Redis()).LastFired(ctx)
	fired := make(map[string]time.Time, len(texts))
	for name, text := range texts {
		if at, err := wire.ParseTime(text); err == nil {
			fired[name] = at.Time
		}
	}
	return fired, err
}

// Find returns one entry. If no entry has the name, the error wraps [ErrNoSchedule].
//
// Ruby: Resque.fetch_schedule.
func Find(ctx context.Context, client *resque.Client, name string) (Schedule, error) {
	all, err := Schedules(ctx, client)
	if err != nil {
		return Schedule{}, err
	}
	i := slices.IndexFunc(all, func(s Schedule) bool { return s.Name == name })
	if i < 0 {
		return Schedule{}, fmt.Errorf("%w: %q", ErrNoSchedule, name)
	}
	return all[i], nil
}

// read reads one entry.
func read(all store.Schedules, name string) Schedule {
	s := Schedule{Off: all.Off[name], slot: all.Slots[name], now: all.Now}
	var p published
	text, isPublished := all.Published[name]
	if isPublished {
		_ = json.Unmarshal([]byte(text), &p) // what cannot be read is not known
	}
	config, persistent := all.Persistent[name]
	if !persistent {
		config, s.Static = string(p.Config), true
	}
	s.Running = isPublished && p.Static == s.Static
	s.Name = name
	if config != "" {
		s.Entry, s.Err = parseConfig(name, []byte(config))
	}
	if s.Err == nil {
		var zone *time.Location
		if zone, s.Err = time.LoadLocation(cmp.Or(p.Zone, "Local")); s.Err == nil {
			s.times, _, s.Err = timesOf(s.Entry, zone, p.MondayWeeks)
		}
	}
	if s.Err == nil && p.Error != "" && s.Running {
		s.Err = errors.New(p.Error)
	}
	if at, err := wire.ParseTime(all.Enqueued[name]); err == nil {
		s.Last = at.Time
	}
	return s
}
