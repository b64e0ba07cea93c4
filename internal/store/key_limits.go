package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/wire"
)

// KeyLimit is a limit of the jobs of a class, or of those that have a key.
type KeyLimit struct {
	Name string // of the keys in Redis
	Limit
}

// Hold takes a place in a limit for a job. If it is refused, the value is after how many
// microseconds the limit allows a job, or -1 if a job must end first.
func (s *Store) Hold(l KeyLimit) Need {
	need := Need{name: "HOLD", absent: s.keys.limitPause(l.Name), keys: []any{s.keys.held(l.Name)}, known: "HOLD 1 1 1"}
	interval, burst := l.interval()
	if interval == 0 {
		need.args = []any{strconv.FormatInt(l.Concurrency, 10)}
		return need
	}
	need.keys, need.known = append(need.keys, s.keys.rate(l.Name)), ""
	need.args = []any{fmt.Sprintf("%d %s %s", l.Concurrency, strconv.FormatFloat(interval, 'f', -1, 64), strconv.FormatFloat(burst, 'f', -1, 64))}
	return need
}

// Free frees the place that the job in the record of a worker has in a limit, if it has one. If
// the worker has the place of an earlier job, whose record is gone, it frees that.
func (s *Store) Free(l KeyLimit, worker string) Effect {
	e := named("FREE", []any{s.keys.held(l.Name), s.keys.parked(l.Name)}, worker)
	e.place = worker
	return e
}

// Park delays a job to which a limit gave no place, and notes it, for Unpark. If there is a
// place now, the job goes back to the front of its queue.
func (s *Store) Park(l KeyLimit, due time.Time, queue string, payload []byte) []Effect {
	second := due.Unix()
	item := wire.AppendDelayed(nil, payload, queue)
	keys := []any{
		s.keys.held(l.Name), s.keys.parked(l.Name), s.keys.queues(), s.keys.queue(queue),
		s.keys.delayedSchedule(), s.keys.timestamps(string(item)), s.keys.delayed(second),
	}
	return []Effect{named("PARK", keys, l.Concurrency, queue, payload, second, item, delayedList(second), parkedEntry(second, item))}
}

// parkedEntry returns the note of a parked job. No two notes are equal: otherwise a process
// that finds the job gone could remove the note of the same job that was parked again.
func parkedEntry(second int64, item []byte) string {
	return strconv.FormatInt(second, 10) + " " + Digest(item) + " " + rand.Text()
}

// PauseLimit makes a limit give no places for a while.
func (s *Store) PauseLimit(name string, d time.Duration) Effect {
	return Effect{command: "SET", key: s.keys.limitPause(name), args: []any{"1", "PX", max(d.Milliseconds(), 1)}}
}

// Unpark moves the first job that was parked by a limit, and is still delayed, to the
// front of its queue. It reports whether there was one.
func (s *Store) Unpark(ctx context.Context, name string) (moved bool, err error) {
	const most = 100 // entries of jobs that are gone, in one call
	for range most {
		entry, again, err := s.unparkFirst(ctx, name)
		if err != nil {
			return false, fmt.Errorf("continuing with a job that waits for the limit %q: %w", name, err)
		}
		if !again {
			return entry != "", nil
		}
	}
	return false, nil
}

// unparkFirst moves the job of the first entry, if there is one. again reports whether
// that job is gone, so that the next entry is the first.
func (s *Store) unparkFirst(ctx context.Context, name string) (entry string, again bool, err error) {
	parked := s.keys.parked(name)
	err = s.with(ctx, func(c conn) error {
		entry, err = redis.String(c.do("LINDEX", parked, 0))
		if err == redis.ErrNil { //nolint:errorlint // redigo returns it unwrapped
			return nil
		}
		if err != nil {
			return err
		}
		text, rest, _ := strings.Cut(entry, " ")
		second, _ := strconv.ParseInt(text, 10, 64)
		digest, _, _ := strings.Cut(rest, " ")
		items, err := redis.ByteSlices(c.do("LRANGE", s.keys.delayed(second), 0, 9999))
		if err != nil {
			return err
		}
		for _, item := range items {
			if Digest(item) != digest {
				continue
			}
			d, err := wire.ParseDelayed(item)
			if err != nil || d.Queue == "" {
				break
			}
			payload := string(item[:d.CutFrom]) + string(item[d.CutTo:])
			n, err := redis.Int(c.script(s.scripts.unpark, 6,
				parked, s.keys.delayed(second), s.keys.delayedSchedule(), s.keys.timestamps(string(item)), s.keys.queues(), s.keys.queue(d.Queue),
				entry, item, second, delayedList(second), d.Queue, payload))
			again = n == 0
			return err
		}
		again = true
		_, err = c.do("LREM", parked, 1, entry)
		return err
	})
	return entry, again, err
}

// FreeDeadHeld is FreeDead for a limit by key. It moves as many of the jobs that wait for a
// place to their queues.
func (s *Store) FreeDeadHeld(ctx context.Context, name string) (freed int, err error) {
	freed, err = s.freeDead(ctx, name)
	for moved, n := true, 0; err == nil && moved && n < freed; n++ {
		moved, err = s.Unpark(ctx, name)
	}
	return freed, err
}

// HeldLimit is a limit by key of which places are held.
type HeldLimit struct {
	Name   string
	Held   []HeldPlace
	Parked int64         // entries of jobs that wait for a place; some may be gone
	Paused time.Duration // how long it gives no places
}

// HeldPlace is a place of a limit. Job is its worker's record if it still holds the place.
type HeldPlace struct {
	Worker string
	Dead   bool // the job that held the place no longer runs
}

// HeldLimits returns the limits by key of which places are held, in the order of a SCAN. It
// looks at about most parts of 1,000 keys, at all keys if most is 0, and reports whether
// there are more.
func (s *Store) HeldLimits(ctx context.Context, most int) (all []HeldLimit, more bool, err error) {
	cursor := "0"
	for parts := 1; ; parts++ {
		keys, next, err := s.scan(ctx, cursor, heldPrefix+"c:")
		if err != nil {
			return nil, false, fmt.Errorf("looking for held limits: %w", err)
		}
		found, _, err := s.heldLimits(ctx, keys)
		if err != nil {
			return nil, false, fmt.Errorf("reading who holds a limit: %w", err)
		}
		all = append(all, found...)
		if cursor = next; cursor == "0" || parts == most {
			return all, cursor != "0", nil
		}
	}
}

const heldPrefix = "goresque:held:"

// HeldOf returns the limits of keys such as those that Scan returns. A place counts as dead
// only if it is still held after the record of its worker was read: the script that removes
// the record also frees the place.
func (s *Store) HeldOf(ctx context.Context, names []string) ([]HeldLimit, error) {
	all, guards, err := s.heldLimits(ctx, names)
	if err == nil {
		err = s.stillHeld(ctx, all, guards)
	}
	if err != nil {
		return nil, fmt.Errorf("reading who holds limits: %w", err)
	}
	return all, nil
}

// stillHeld clears Dead of the places that were freed or taken again meanwhile. guards are
// those of all places, in their order.
func (s *Store) stillHeld(ctx context.Context, all []HeldLimit, guards []string) error {
	var commands [][]any
	var places []*HeldPlace
	for _, l := range all {
		for i := range l.Held {
			places = append(places, &l.Held[i])
			commands = append(commands, []any{"HGET", s.keys.held(l.Name), l.Held[i].Worker})
		}
	}
	return s.each(ctx, commands, func(i int, reply any) error {
		guard, err := redis.String(reply, nil)
		places[i].Dead = places[i].Dead && err == nil && guard == guards[i]
		return nil //nolint:nilerr // no guard: the place is free
	})
}

// heldLimits reads the limits of keys, in two round trips. It also returns the guards of all
// places, in their order.
func (s *Store) heldLimits(ctx context.Context, keys []string) (all []HeldLimit, guards []string, err error) {
	if len(keys) == 0 {
		return nil, nil, nil
	}
	all = make([]HeldLimit, len(keys))
	err = s.with(ctx, func(c conn) error {
		var commands [][]any
		for i, key := range keys {
			name := strings.TrimPrefix(key, heldPrefix)
			all[i].Name = name
			commands = append(commands, []any{"HGETALL", s.keys.held(name)}, []any{"LLEN", s.keys.parked(name)}, []any{"PTTL", s.keys.limitPause(name)})
		}
		replies, err := c.pipeline(commands...)
		if err != nil {
			return err
		}
		commands = nil
		for i := range all {
			held, _ := redis.StringMap(replies[3*i], nil) // nothing for a key of another type
			all[i].Parked, _ = redis.Int64(replies[3*i+1], nil)
			if ms, _ := redis.Int64(replies[3*i+2], nil); ms > 0 {
				all[i].Paused = time.Duration(ms) * time.Millisecond
			}
			for worker, guard := range held {
				all[i].Held = append(all[i].Held, HeldPlace{Worker: worker})
				guards = append(guards, guard)
				commands = append(commands, []any{"GETRANGE", s.keys.worker(worker), 0, len(guard) - 1})
			}
		}
		if replies, err = c.pipeline(commands...); err != nil {
			return err
		}
		n := 0
		for i := range all {
			for k := range all[i].Held {
				text, _ := redis.String(replies[n], nil)
				all[i].Held[k].Dead = text != guards[n]
				n++
			}
		}
		return nil
	})
	return all, guards, err
}
