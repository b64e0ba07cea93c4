package store

import (
	"context"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"
)

// clock is a reading of Redis's clock.
type clock struct {
	redis time.Time
	here  time.Time // with the monotonic clock
}

// now returns what Redis's clock shows now, if it runs as this process's does.
func (c *clock) now() time.Time { return c.redis.Add(time.Since(c.here)) }

// Now returns the time on Redis's clock, which heartbeats use.
//
// Ruby: Resque::DataStore#server_time.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	var now time.Time
	err := s.with(ctx, func(c conn) (err error) {
		now, err = clockTime(c.do("TIME"))
		return err
	})
	if err == nil {
		s.lastClock.Store(&clock{redis: now, here: time.Now()})
	}
	return now, err
}

// clockMaxAge is how old a reading of Redis's clock may be for About. Workers read it
// with each heartbeat.
const clockMaxAge = 2 * time.Minute

// About returns the time on Redis's clock without asking Redis, if Now was called in the
// last 2 minutes. Otherwise it asks. If Redis does not answer, it returns the time by the
// last reading or, if there is none, by this computer's clock.
func (s *Store) About(ctx context.Context) time.Time {
	last := s.lastClock.Load()
	if last == nil || time.Since(last.here) > clockMaxAge {
		if now, err := s.Now(ctx); err == nil {
			return now
		}
	}
	if last == nil {
		return time.Now().UTC()
	}
	return last.now()
}

// clockTime converts the reply of TIME: seconds, and the microseconds past them.
func clockTime(reply any, err error) (time.Time, error) {
	parts, err := redis.Int64s(reply, err)
	if err == nil && len(parts) != 2 {
		err = fmt.Errorf("TIME returned %d values", len(parts))
	}
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(parts[0], parts[1]*int64(time.Microsecond)).UTC(), nil
}
