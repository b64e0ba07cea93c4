package store

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/rubyjson"
)

//go:embed exchange.lua
var exchangeLua string

// Slot is a worker id that is free to take a job now.
type Slot struct {
	Worker string
	RunAt  string // the new record's run_at; unique for each reserve of this slot
}

// Reserved is a job that is in its slot's record.
type Reserved struct {
	Worker  string
	Queue   string
	Payload []byte // as it was in the queue
	Guard   []byte // how the record begins, unlike any other reserve's
	Adopted bool   // an earlier reserve, whose reply was lost, put it there
}

// Outcome is what a finished job leaves behind: effects that happen together
// with the end of its record, and only if Guard shows that the record is ours.
type Outcome struct {
	Worker  string
	Guard   []byte
	Effects []Effect
}

// Effect is one write of an outcome. Build them with the methods of Store.
type Effect struct {
	command string
	key     string
	args    []any
}

// Settled is what came of an outcome.
type Settled struct {
	Ours bool  // false: the record was another's, or gone, and nothing was done
	Err  error // Redis refused an effect; the record is still there
}

// Exchanged is what an exchange brought: for each finished slot what came of
// its outcome, and the jobs for the free ones, at most one each.
type Exchanged struct {
	Settled  []Settled
	Reserved []Reserved
	Unknown  []string // free slots that are not registered, and so got nothing
	Paused   bool
	Fault    error // why a queue could not be read, where one could not
}

// Exchange settles what finished and then reserves for the slots that are free,
// in one call. A slot may be in both lists. Nothing is popped for a slot that
// has a record: that record is returned, so calling again after a lost reply
// finds the same jobs and changes nothing else.
//
// Ruby: Resque::Worker#done_working, Resque::Worker#reserve and
// Resque::Worker#working_on, which are separate calls there.
func (s *Store) Exchange(ctx context.Context, queues []string, finished []Outcome, free []Slot) (Exchanged, error) {
	call, err := s.exchangeCall(queues, finished, free)
	if err != nil {
		return Exchanged{}, err
	}
	var reply []any
	err = s.with(ctx, func(c conn) (err error) {
		reply, err = redis.Values(c.script(s.exchange, call.words()...))
		return err
	})
	if err != nil {
		return Exchanged{}, fmt.Errorf("exchanging %d finished for %d free: %w", len(finished), len(free), err)
	}
	return call.read(reply)
}

// exchangeCall holds one call's words and what its reply is to be read with.
type exchangeCall struct {
	keys, args []any
	names      []string // queues, spelled as JSON
	queues     []string
	free       []Slot
}

func (s *Store) exchangeCall(queues []string, finished []Outcome, free []Slot) (*exchangeCall, error) {
	c := &exchangeCall{queues: queues, free: free}
	c.keys = append(c.keys, s.keys.pauseAll(), s.keys.pauseEvery(), s.keys.workers())
	c.args = append(c.args, len(queues), len(finished), len(free))
	for _, q := range queues {
		name, err := rubyjson.AppendString(nil, q)
		if err != nil {
			return nil, fmt.Errorf("queue %q: %w", q, err)
		}
		c.names = append(c.names, string(name))
		c.args = append(c.args, name)
		c.keys = append(c.keys, s.keys.queue(q))
	}
	for _, q := range queues {
		c.keys = append(c.keys, s.keys.pauseQueue(q))
	}
	for _, o := range finished {
		c.keys = append(c.keys, s.keys.worker(o.Worker))
	}
	for _, slot := range free {
		c.keys = append(c.keys, s.keys.worker(slot.Worker))
		c.args = append(c.args, slot.RunAt)
	}
	for _, slot := range free {
		c.args = append(c.args, slot.Worker)
	}
	for _, o := range finished {
		c.outcome(o)
	}
	return c, nil
}

func (c *exchangeCall) outcome(o Outcome) {
	c.args = append(c.args, o.Guard, len(o.Effects))
	for _, e := range o.Effects {
		c.keys = append(c.keys, e.key)
		c.args = append(c.args, e.command, len(e.args))
		c.args = append(c.args, e.args...)
	}
}

func (c *exchangeCall) words() []any {
	words := make([]any, 0, 1+len(c.keys)+len(c.args))
	words = append(words, len(c.keys))
	words = append(words, c.keys...)
	return append(words, c.args...)
}
