package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Observation is what Redis has of all workers at one moment.
type Observation struct {
	Beats     map[string]string    // the text of each worker's last heartbeat, by id
	Intervals map[string]Intervals // the intervals that workers have published, by id
	Now       time.Time            // on Redis's clock
	Leftover  []string             // ids with intervals, but without a heartbeat; see ForgetIntervals
}

// Observe reads the heartbeats and the intervals of all workers, in one round trip.
// Intervals that cannot be read count as not published.
func (s *Store) Observe(ctx context.Context) (Observation, error) {
	o := Observation{Intervals: map[string]Intervals{}}
	err := s.with(ctx, func(c conn) error {
		if err := errors.Join( // the intervals first: with them, a worker writes a heartbeat
			c.Send("HGETALL", s.keys.intervals()),
			c.Send("HGETALL", s.keys.heartbeats()),
			c.Send("TIME"),
			c.Flush(),
		); err != nil {
			return err
		}
		texts, err1 := redis.StringMap(c.receive())
		if Refused(err1) { // such as a key of another type
			err1 = nil
		}
		beats, err2 := redis.StringMap(c.receive())
		now, err3 := clockTime(c.receive())
		o.Beats, o.Now = beats, now
		for id, text := range texts {
			if _, ok := beats[id]; !ok {
				o.Leftover = append(o.Leftover, id)
			} else if i, err := parseIntervals(text); err == nil {
				o.Intervals[id] = i
			}
		}
		return errors.Join(err1, err2, err3)
	})
	if err != nil {
		return Observation{}, fmt.Errorf("reading the heartbeats: %w", err)
	}
	return o, nil
}

// ForgetIntervals removes the intervals of workers that another program has
// unregistered.
func (s *Store) ForgetIntervals(ctx context.Context, workers []string) error {
	args := []any{s.keys.intervals()}
	for _, id := range workers {
		args = append(args, id)
	}
	err := s.with(ctx, func(c conn) error {
		_, err := c.do("HDEL", args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("removing the intervals of %d workers: %w", len(workers), err)
	}
	return nil
}
