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
	//go:embed master_take.lua
	masterTakeLua string
	//go:embed master_release.lua
	masterReleaseLua string
)

// Master identifies a scheduler that is master, or wants to be. Each script that
// schedulers run compares the token with the lock, so that one that has lost the lock
// changes nothing.
//
// Ruby: Resque::Scheduler::Lock::Resilient, whose value is host:pid.
type Master struct {
	Token  string        // unique for each process; see wire.NewMasterToken
	Prefix string        // of the lock's name; see keys.master
	TTL    time.Duration // how long the lock is held unless it is renewed
}

// Mastership is the result of TakeMaster.
type Mastership struct {
	Holder string    // the token of the master
	Taken  bool      // the lock was free, and the caller took it
	Now    time.Time // by Redis's clock

	// Due are the due seconds, oldest first, and Next is the first one that is not
	// due; zero if there is none. They are only set if the caller is the master.
	Due  []string
	Next time.Time
}

// TakeMaster takes the lock of the master, or renews it if m holds it. To the master it
// also returns at most limit due seconds.
//
// Ruby: Resque::Scheduler::Locking#master?.
func (s *Store) TakeMaster(ctx context.Context, m Master, limit int) (Mastership, error) {
	var taken Mastership
	err := s.with(ctx, func(c conn) error {
		reply, err := redis.Values(c.script(s.scripts.masterTake, 3,
			s.keys.master(m.Prefix), s.keys.scheduler(), s.keys.delayedSchedule(),
			m.Token, m.TTL.Milliseconds(), limit))
		if err == nil {
			taken, err = readMastership(reply)
		}
		return err
	})
	if err != nil {
		return Mastership{}, fmt.Errorf("taking the lock of the scheduler: %w", err)
	}
	return taken, nil
}

func readMastership(reply []any) (m Mastership, err error) {
	var seconds, micros, taken int64
	rest, err := redis.Scan(reply, &m.Holder, &seconds, &micros, &taken)
	if err != nil {
		return m, err
	}
	m.Now, m.Taken = time.Unix(seconds, micros*int64(time.Microsecond)).UTC(), taken == 1
	if len(rest) != 2 {
		return m, nil
	}
	next, err := redis.String(rest[0], nil)
	if err != nil {
		return m, err
	}
	m.Next = dueAt(next)
	m.Due, err = redis.Strings(rest[1], nil)
	return m, err
}

// dueAt returns the time of a score, zero for one that never comes.
func dueAt(score string) time.Time {
	second, err := strconv.ParseFloat(score, 64)
	if err != nil || !(second < 1<<40) {
		return time.Time{}
	}
	return time.Unix(int64(second), 0).UTC()
}

// ReleaseMaster releases the lock of the master, if m holds it, so that another
// scheduler need not wait until it expires.
//
// Ruby: Resque::Scheduler::Locking#release_master_lock, which takes two steps.
func (s *Store) ReleaseMaster(ctx context.Context, m Master) (released bool, err error) {
	err = s.with(ctx, func(c conn) (err error) {
		released, err = redis.Bool(c.script(s.scripts.masterRelease, 2,
			s.keys.master(m.Prefix), s.keys.scheduler(), m.Token))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("releasing the lock of the scheduler: %w", err)
	}
	return released, nil
}

// MasterStatus describes the master.
type MasterStatus struct {
	Holder string    // the token, or the text that a Ruby scheduler wrote; empty if there is no master
	Now    time.Time // by Redis's clock
	Oldest time.Time // the first second that has delayed jobs; zero if there are none

	// What the master has written about itself. A Ruby master writes nothing.
	Since    time.Time
	Moved    int64         // jobs that it has moved to their queues
	Lateness time.Duration // of the oldest job that it moved last
}

// ReadMaster returns who the master is and what it does, in one round trip.
func (s *Store) ReadMaster(ctx context.Context, prefix string) (MasterStatus, error) {
	var m MasterStatus
	err := s.with(ctx, func(c conn) error {
		if err := errors.Join(
			c.Send("TIME"),
			c.Send("GET", s.keys.master(prefix)),
			c.Send("HGETALL", s.keys.scheduler()),
			c.Send("ZRANGE", s.keys.delayedSchedule(), 0, 0, "WITHSCORES"),
			c.Flush(),
		); err != nil {
			return err
		}
		now, errNow := clockTime(c.receive())
		holder, errHolder := redis.String(c.receive())
		about, errAbout := redis.StringMap(c.receive())
		oldest, errOldest := redis.Strings(c.receive())
		if errors.Is(errHolder, redis.ErrNil) {
			errHolder = nil
		}
		if err := errors.Join(errNow, ofKey(s.keys.master(prefix), errHolder), ofKey(s.keys.scheduler(), errAbout), ofKey(s.keys.delayedSchedule(), errOldest)); err != nil {
			return err
		}
		m.Now, m.Holder = now, holder
		if len(oldest) == 2 {
			m.Oldest = dueAt(oldest[1])
		}
		if holder != "" && about["master"] == holder {
			m.describe(about)
		}
		return nil
	})
	if err != nil {
		return MasterStatus{}, fmt.Errorf("reading the state of the scheduler: %w", err)
	}
	return m, nil
}

// ofKey adds the key that was read to an error, which may be nil.
func ofKey(key string, err error) error {
	if err != nil {
		return fmt.Errorf("key %q: %w", key, err)
	}
	return nil
}

// describe reads what the master has written about itself. What cannot be read is left
// out.
func (m *MasterStatus) describe(about map[string]string) {
	if since, err := strconv.ParseFloat(about["since"], 64); err == nil {
		m.Since = time.UnixMicro(int64(since * 1e6)).UTC()
	}
	if late, err := strconv.ParseFloat(about["lateness"], 64); err == nil {
		m.Lateness = time.Duration(late * float64(time.Second))
	}
	m.Moved = count([]byte(about["moved"]))
}
