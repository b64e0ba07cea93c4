package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/gomodule/redigo/redis"
)

//go:embed push.lua
var pushLua string

// Pushing is a job to push or delay, with what the policies of its class write in the
// same step.
type Pushing struct {
	Delayed      // Due is 0 if the job is not to be delayed
	Front   bool // it goes to the front of its queue
	Effects []Effect
}

// Pushed is what became of a Pushing.
type Pushed int

// The results of PushWith.
const (
	PushedNow     Pushed = iota // the job is in its queue
	PushedLater                 // it is delayed
	PushedRefused               // another job holds a lock; nothing is written
)

// PushWith pushes or delays a job with what policies write, in one round trip. Concurrent
// calls share round trips.
func (s *Store) PushWith(ctx context.Context, p Pushing) (Pushed, error) {
	one := &push{ctx: ctx, job: p.Delayed, with: &p}
	if err := s.pushesWith.combine(one); err != nil {
		return one.pushed, fmt.Errorf("pushing to queue %q: %w", p.Queue, err)
	}
	return one.pushed, nil
}

// PushAllWith pushes or delays jobs in one step, as PushWith does, and returns the result
// of each.
func (s *Store) PushAllWith(ctx context.Context, jobs []Pushing) ([]Pushed, []error) {
	pushes, batch := make([]push, len(jobs)), make([]*push, len(jobs))
	for i := range jobs {
		pushes[i] = push{ctx: ctx, job: jobs[i].Delayed, with: &jobs[i]}
		batch[i] = &pushes[i]
	}
	if len(batch) > 0 {
		s.sendPushesWith(batch)
	}
	pushed, errs := make([]Pushed, len(jobs)), make([]error, len(jobs))
	for i, p := range batch {
		pushed[i] = p.pushed
		if p.err != nil {
			errs[i] = fmt.Errorf("pushing to queue %q: %w", p.job.Queue, p.err)
		}
	}
	return pushed, errs
}

// sendPushesWith sends a batch in one round trip and sets the result of each push.
func (s *Store) sendPushesWith(batch []*push) {
	c := &call{keys: []any{s.keys.delayedSchedule(), s.keys.queues()}}
	var last *string
	for _, p := range batch {
		last = s.addPushing(c, p.with, last)
	}
	var statuses []any
	var acknowledged error
	err := s.with(batch[0].ctx, func(on conn) (err error) {
		statuses, err = redis.Values(on.script(s.scripts.push, c.list()...))
		if err == nil && slices.ContainsFunc(statuses, isPushed) { // otherwise replicas have nothing to acknowledge
			acknowledged = s.awaitReplicas(on)
		}
		return err
	})
	if err == nil && len(statuses) != len(batch) {
		err = errors.New("the script returned another number of results")
	}
	for i, p := range batch {
		if p.err = err; err == nil {
			if p.pushed, p.err = pushStatus(c, statuses[i]); p.err == nil && p.pushed != PushedRefused {
				p.err = acknowledged
			}
		}
	}
}

// addPushing adds a job to the call. last is the queue to which the job before it is pushed,
// or nil; addPushing returns that of this one.
func (s *Store) addPushing(c *call, p *Pushing, last *string) *string {
	command := "RPUSH"
	if p.Front {
		command = "LPUSH"
	}
	switch {
	case p.Due > 0:
		c.keys = append(c.keys, s.keys.queue(p.Queue), s.keys.delayed(p.Due), s.keys.timestamps(string(p.Payload)))
		c.args = append(c.args, "DELAY", p.Queue, p.Due, delayedList(p.Due), p.CutFrom+1, p.CutTo, command)
	case last != nil && *last == p.Queue && !p.Front && len(p.Effects) > 0: // the script ends with its keys
		c.args = append(c.args, "SAME")
	default:
		c.keys = append(c.keys, s.keys.queue(p.Queue))
		c.args = append(c.args, command, p.Queue)
	}
	c.args = append(c.args, p.Payload, len(p.Effects))
	for _, e := range p.Effects {
		c.keys = append(c.keys, e.key)
		c.args = append(c.args, e.command, len(e.args))
		c.args = append(c.args, e.args...)
	}
	return &p.Queue
}

// isPushed reports whether a result of push.lua is that of a job that was pushed or delayed.
func isPushed(status any) bool { return status == int64(0) || status == int64(1) }

// pushStatus returns one result of push.lua.
func pushStatus(c *call, status any) (Pushed, error) {
	switch status := status.(type) {
	case int64:
		switch status {
		case 1:
			return PushedLater, nil
		case 0:
			return PushedNow, nil
		}
		return PushedRefused, nil
	case []any:
		var at int
		var text string
		if _, err := redis.Scan(status, &at, &text); err != nil || at < 1 || at > len(c.keys) {
			return 0, errors.New("the script returned another kind of result")
		}
		return 0, fmt.Errorf("the key %q: %w", c.keys[at-1], redis.Error(text))
	}
	return 0, fmt.Errorf("the script returned a %T", status)
}
