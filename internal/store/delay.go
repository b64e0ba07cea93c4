package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/gomodule/redigo/redis"
)

//go:embed delay.lua
var delayLua string

// Delayed is a job to delay.
type Delayed struct {
	Due     int64 // Unix second
	Queue   string
	Payload []byte // as Ruby's scheduler stores it, with the member queue

	// CutFrom and CutTo are the bytes of Payload that are not part of the job in its
	// queue: the member queue and the comma before it.
	CutFrom, CutTo int
}

// Delay delays a job in one round trip. If its second has come by Redis's clock, Delay
// pushes it to its queue instead and returns false. Concurrent calls share round trips.
//
// Ruby: Resque::Scheduler::DelayingExtensions#delayed_push and enqueue_at_with_queue.
func (s *Store) Delay(ctx context.Context, job Delayed) (delayed bool, err error) {
	p := &push{ctx: ctx, job: job}
	if err := s.delays.combine(p); err != nil {
		return p.delayed, fmt.Errorf("delaying a job of queue %q: %w", job.Queue, err)
	}
	return p.delayed, nil
}

// DelayAll delays jobs in one step, as Delay does, and reports for each whether it is
// delayed, or why it is neither delayed nor in its queue.
func (s *Store) DelayAll(ctx context.Context, jobs []Delayed) (delayed []bool, errs []error) {
	batch := make([]*push, len(jobs))
	for i, job := range jobs {
		batch[i] = &push{ctx: ctx, job: job}
	}
	if len(batch) > 0 {
		s.sendDelays(batch)
	}
	delayed, errs = make([]bool, len(jobs)), make([]error, len(jobs))
	for i, p := range batch {
		delayed[i] = p.delayed
		if p.err != nil {
			errs[i] = fmt.Errorf("delaying %d jobs: %w", len(jobs), p.err)
		}
	}
	return delayed, errs
}

// sendDelays sends a batch in one round trip and sets the result of each push.
func (s *Store) sendDelays(batch []*push) {
	c := &call{
		keys: append(make([]any, 0, 2+3*len(batch)), s.keys.delayedSchedule(), s.keys.queues()),
		args: append(make([]any, 0, 1+5*len(batch)), len(s.keys.timestamps(""))),
	}
	for _, p := range batch {
		j := p.job
		c.keys = append(c.keys, s.keys.delayed(j.Due), s.keys.timestamps(string(j.Payload)), s.keys.queue(j.Queue))
		c.args = append(c.args, j.Due, delayedList(j.Due), j.Queue, j.CutFrom+1, j.CutTo)
	}
	var statuses []any
	var acknowledged error
	err := s.with(batch[0].ctx, func(on conn) (err error) {
		if statuses, err = redis.Values(on.script(s.scripts.delay, c.list()...)); err == nil {
			acknowledged = s.awaitReplicas(on)
		}
		return err
	})
	if err == nil && len(statuses) != len(batch) {
		err = errors.New("the script returned another number of results")
	}
	for i, p := range batch {
		if p.err = err; err == nil {
			if p.delayed, p.err = delayStatus(statuses[i]); p.err == nil {
				p.err = acknowledged
			}
		}
	}
}

func delayStatus(status any) (delayed bool, err error) {
	if text, ok := status.([]byte); ok {
		return false, redis.Error(text)
	}
	return status == int64(1), nil
}
