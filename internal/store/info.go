package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomodule/redigo/redis"
)

// Overview has the names of queues and workers, and counts.
type Overview struct {
	Queues, Workers   []string
	Pending, Working  int64
	Processed, Failed int64
}

// Overview reads an Overview in two round trips, regardless of the number of queues
// and workers. A queue that cannot be read counts as empty.
//
// Ruby: Resque.info.
func (s *Store) Overview(ctx context.Context) (Overview, error) {
	var o Overview
	err := s.with(ctx, func(c conn) error {
		if err := s.overview(c, &o); err != nil {
			return err
		}
		return s.sums(c, &o)
	})
	if err != nil {
		return Overview{}, fmt.Errorf("counting queues, jobs and workers: %w", err)
	}
	return o, nil
}

func (s *Store) overview(c conn, o *Overview) error {
	if err := errors.Join(
		c.Send("SMEMBERS", s.keys.queues()),
		c.Send("SMEMBERS", s.keys.workers()),
		c.Send("GET", s.keys.stat("processed")),
		c.Send("LLEN", s.keys.failed(Failed)),
		c.Flush(),
	); err != nil {
		return err
	}
	var errs [4]error
	var processed []byte
	o.Queues, errs[0] = redis.Strings(c.receive())
	o.Workers, errs[1] = redis.Strings(c.receive())
	processed, errs[2] = redis.Bytes(c.receive())
	o.Failed, errs[3] = redis.Int64(c.receive())
	o.Processed = count(processed)
	if errors.Is(errs[2], redis.ErrNil) {
		errs[2] = nil
	}
	return errors.Join(errs[:]...)
}

func (s *Store) sums(c conn, o *Overview) error {
	for _, name := range o.Queues {
		if err := c.Send("LLEN", s.keys.queue(name)); err != nil {
			return err
		}
	}
	if len(o.Workers) > 0 {
		records := make([]any, len(o.Workers))
		for i, id := range o.Workers {
			records[i] = s.keys.worker(id)
		}
		if err := c.Send("MGET", records...); err != nil {
			return err
		}
	}
	if err := c.Flush(); err != nil {
		return err
	}
	for range o.Queues {
		n, err := redis.Int64(c.receive())
		if err != nil && !Refused(err) {
			return err
		}
		o.Pending += n
	}
	if len(o.Workers) == 0 {
		return nil
	}
	records, err := redis.ByteSlices(c.receive())
	for _, record := range records {
		if len(record) > 0 {
			o.Working++
		}
	}
	return err
}
