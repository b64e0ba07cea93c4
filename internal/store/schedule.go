package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"
)

var (
	//go:embed fire.lua
	fireLua string
	//go:embed schedule_changes.lua
	scheduleChangesLua string
	//go:embed schedule_publish.lua
	schedulePublishLua string
	//go:embed schedule_set.lua
	scheduleSetLua string
	//go:embed schedule_remove.lua
	scheduleRemoveLua string
)

// publishedFor is how long the entries of a master are shown after it has loaded them.
const publishedFor = 30 * 24 * time.Hour

// Schedules is what Redis knows about recurring entries, each by its name.
type Schedules struct {
	Now        time.Time            // by Redis's clock
	Persistent map[string]string    // configurations in JSON
	Published  map[string]string    // what the master runs; its own text
	Slots      map[string]time.Time // when each was last due
	Off        map[string]bool      // switched off
	Enqueued   map[string]string    // when each last fired, as it was written
}

// ReadSchedules reads all recurring entries in one round trip.
//
// Ruby: Resque::Scheduler::SchedulingExtensions#all_schedules.
func (s *Store) ReadSchedules(ctx context.Context) (Schedules, error) {
	var all Schedules
	err := s.with(ctx, func(c conn) error {
		if err := errors.Join(
			c.Send("TIME"),
			c.Send("HGETALL", s.keys.persistentSchedules()),
			c.Send("HGETALL", s.keys.schedule()),
			c.Send("HGETALL", s.keys.scheduleSlots()),
			c.Send("SMEMBERS", s.keys.scheduleOff()),
			c.Send("HGETALL", s.keys.lastEnqueuedAt()),
			c.Flush(),
		); err != nil {
			return err
		}
		var errs [6]error
		var slots map[string]string
		var off []string
		all.Now, errs[0] = clockTime(c.receive())
		all.Persistent, errs[1] = redis.StringMap(c.receive())
		all.Published, errs[2] = redis.StringMap(c.receive())
		slots, errs[3] = redis.StringMap(c.receive())
		off, errs[4] = redis.Strings(c.receive())
		all.Enqueued, errs[5] = redis.StringMap(c.receive())
		for i, key := range []string{s.keys.persistentSchedules(), s.keys.schedule(), s.keys.scheduleSlots(), s.keys.scheduleOff(), s.keys.lastEnqueuedAt()} {
			errs[i+1] = ofKey(key, errs[i+1])
		}
		all.Slots, all.Off = readSlots(slots), setOf(off)
		return errors.Join(errs[:]...)
	})
	if err != nil {
		return Schedules{}, fmt.Errorf("reading the schedules: %w", err)
	}
	return all, nil
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// readSlots leaves out the slots that it cannot read.
func readSlots(texts map[string]string) map[string]time.Time {
	slots := make(map[string]time.Time, len(texts))
	for name, text := range texts {
		if slot, err := parseSlot(text); err == nil {
			slots[name] = slot
		}
	}
	return slots
}

// parseSlot reads seconds, which may have a fraction.
func parseSlot(text string) (time.Time, error) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds > -1<<40 && seconds < 1<<40) {
		return time.Time{}, fmt.Errorf("invalid time %q", text)
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC(), nil
}

func formatSlot(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64)
}

// InitSlots sets the slots of entries that have none, and returns those of all given
// names.
func (s *Store) InitSlots(ctx context.Context, slots map[string]time.Time) (map[string]time.Time, error) {
	found := make(map[string]string, len(slots))
	err := s.with(ctx, func(c conn) error {
		names := make([]string, 0, len(slots))
		for name, slot := range slots {
			names = append(names, name)
			if err := c.Send("HSETNX", s.keys.scheduleSlots(), name, formatSlot(slot)); err != nil {
				return err
			}
			if err := c.Send("HGET", s.keys.scheduleSlots(), name); err != nil {
				return err
			}
		}
		if err := c.Flush(); err != nil {
			return err
		}
		for _, name := range names {
			_, errSet := c.receive()
			text, errGet := redis.String(c.receive())
			if err := errors.Join(errSet, errGet); err != nil {
				return err
			}
			found[name] = text
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("noting when schedules began: %w", err)
	}
	return readSlots(found), nil
}

// ChangedSchedule is a persistent entry that was set or removed.
type ChangedSchedule struct {
	Name   string
	Config string // empty if the entry was removed
}

// TakeScheduleChanges returns the entries that other programs have set or removed since
// it was last called, if m is the master. After an error they may be taken, so the caller
// must read all schedules.
//
// Ruby: Resque::Scheduler.update_schedule.
func (s *Store) TakeScheduleChanges(ctx context.Context, m Master) (changes []ChangedSchedule, err error) {
	err = s.asMaster(ctx, s.scripts.scheduleChanges, &call{
		keys: []any{s.keys.master(m.Prefix), s.keys.schedulesChanged(), s.keys.persistentSchedules()},
		args: []any{m.Token},
	}, func(reply any) error {
		texts, err := redis.Strings(reply, nil)
		for i := 0; i+1 < len(texts); i += 2 {
			changes = append(changes, ChangedSchedule{texts[i], texts[i+1]})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading which schedules have changed: %w", err)
	}
	return changes, nil
}

// PublishedSchedule is an entry that the master runs, for viewers.
type PublishedSchedule struct{ Name, About string } // About is empty if it runs no longer

// PublishSchedules shows which entries the master runs. With all, others are not shown any
// more.
func (s *Store) PublishSchedules(ctx context.Context, m Master, all bool, entries []PublishedSchedule) error {
	c := &call{
		keys: []any{s.keys.master(m.Prefix), s.keys.schedule()},
		args: []any{m.Token, all, int(publishedFor.Seconds())},
	}
	for _, e := range entries {
		c.args = append(c.args, e.Name, e.About)
	}
	if err := s.asMaster(ctx, s.scripts.schedulePublish, c, func(any) error { return nil }); err != nil {
		return fmt.Errorf("showing the schedules: %w", err)
	}
	return nil
}

// Firing is a recurring entry that is due.
type Firing struct {
	Name    string
	Time    time.Time // the scheduled time
	Queue   string    // empty to use up the time without a job
	Payload []byte
	Effects []Effect // what policies write in the same step; see Pushing
}

// Fired is what became of a Firing.
type Fired int

// Values of Fired.
const (
	FiredJob    Fired = 1 // the job is queued
	FiredNoJob  Fired = 2 // the Firing has no job
	FiredOff    Fired = 3 // the entry is switched off
	FiredBefore Fired = 4 // it has fired for this time, or a later one
	FiredNoSlot Fired = 5 // the entry has no slot; see InitSlots
	FiredHeld   Fired = 6 // another job holds its lock, so it uses up the time
	FiredError  Fired = 7 // the job cannot be queued
)

// Fire fires entries, if m is the master, and returns what became of each. An entry fires
// once for each time. at is the time to note.
//
// Ruby: Resque::Scheduler.enqueue_recurring.
func (s *Store) Fire(ctx context.Context, m Master, at string, firings []Firing) (fired []Fired, err error) {
	c := &call{
		keys: []any{s.keys.master(m.Prefix), s.keys.scheduleSlots(), s.keys.scheduleOff(), s.keys.queues(), s.keys.lastEnqueuedAt()},
		args: []any{m.Token, at},
	}
	for _, f := range firings {
		c.keys = append(c.keys, s.keys.queue(f.Queue))
		c.args = append(c.args, f.Name, formatSlot(f.Time), f.Queue, f.Payload, len(f.Effects))
		for _, e := range f.Effects {
			c.keys = append(c.keys, e.key)
			c.args = append(c.args, e.command, len(e.args))
			c.args = append(c.args, e.args...)
		}
	}
	err = s.asMaster(ctx, s.scripts.fire, c, func(reply any) error {
		results, err := redis.Values(reply, nil)
		for _, r := range results {
			if n, ok := r.(int64); ok {
				fired = append(fired, Fired(n))
			} else {
				fired = append(fired, FiredError)
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("firing recurring jobs: %w", err)
	}
	return fired, nil
}

// asMaster runs a script that returns a text if the caller is not the master.
func (s *Store) asMaster(ctx context.Context, script *script, c *call, read func(reply any) error) error {
	return s.with(ctx, func(on conn) error {
		reply, err := on.script(script, c.list()...)
		if err != nil {
			return err
		}
		if _, other := reply.([]byte); other {
			return ErrNotMaster
		}
		return read(reply)
	})
}

// SetSchedule stores a persistent entry and tells the master. It reports whether the
// entry is new or has changed.
//
// Ruby: SchedulingExtensions#set_schedule.
func (s *Store) SetSchedule(ctx context.Context, name string, config []byte) (changed bool, err error) {
	err = s.with(ctx, func(c conn) error {
		n, err := redis.Int(c.script(s.scripts.scheduleSet, 3,
			s.keys.persistentSchedules(), s.keys.schedulesChanged(), s.keys.scheduleSlots(), name, config))
		changed = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("storing schedule %q: %w", name, err)
	}
	return changed, nil
}

// RemoveSchedule removes a persistent entry and tells the master. It reports whether
// there was one.
//
// Ruby: SchedulingExtensions#remove_schedule.
func (s *Store) RemoveSchedule(ctx context.Context, name string) (removed bool, err error) {
	err = s.with(ctx, func(c conn) (err error) {
		removed, err = redis.Bool(c.script(s.scripts.scheduleRemove, 5,
			s.keys.persistentSchedules(), s.keys.schedulesChanged(), s.keys.scheduleSlots(), s.keys.scheduleOff(), s.keys.schedule(), name))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("removing schedule %q: %w", name, err)
	}
	return removed, nil
}

// SwitchSchedule switches an entry on or off.
func (s *Store) SwitchSchedule(ctx context.Context, name string, on bool) error {
	command := "SADD"
	if on {
		command = "SREM"
	}
	err := s.with(ctx, func(c conn) error {
		_, err := c.do(command, s.keys.scheduleOff(), name)
		return err
	})
	if err != nil {
		return fmt.Errorf("switching schedule %q on or off: %w", name, err)
	}
	return nil
}

// LastFired returns when each recurring entry last fired, as it was written.
//
// Ruby: DelayingExtensions#get_last_enqueued_at.
func (s *Store) LastFired(ctx context.Context) (fired map[string]string, err error) {
	err = s.with(ctx, func(c conn) error {
		fired, err = redis.StringMap(c.do("HGETALL", s.keys.lastEnqueuedAt()))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading when schedules last fired: %w", err)
	}
	return fired, nil
}
