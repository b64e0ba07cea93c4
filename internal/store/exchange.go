package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/wire"
)

var (
	//go:embed args.lua
	argsLua string
	//go:embed payload.lua
	payloadLua string
	//go:embed limit.lua
	limitLua string
	//go:embed exchange.lua
	exchangeLua string
	//go:embed exchange_reserve.lua
	exchangeReserveLua string
	//go:embed exchange_end.lua
	exchangeEndLua string
	//go:embed exchange_usual.lua
	exchangeUsualLua string
)

// Slot is a worker id that is free to take a job now.
type Slot struct {
	Worker string
	RunAt  string // the run_at of its next record; unique for each reserve of this slot
}

// Reserved is a job that is in its slot's record.
type Reserved struct {
	Worker  string
	Queue   string
	Payload []byte // the bytes that were in the queue; see wire.RestorePayload
	Guard   []byte // the beginning of the record, unique for each reserve
	Adopted bool   // the record was written by an earlier reserve, whose reply was lost
}

// Exchanged is the result of an exchange: of each outcome, and the jobs for the
// free slots, at most one each.
type Exchanged struct {
	Finished []FinishResult
	Reserved []Reserved
	Unknown  []string // free slots that got no job because they are not registered
	Paused   bool
	Denied   []Denied
	Unparked []string // names of limits by key which have a place for a job that waits; see Unpark
	More     bool     // slots were left free, because of the size of the payloads or because limits are new
	Fault    error    // why a queue or a record could not be read; nil if all could
}

// Exchange finishes jobs and then reserves new ones for the free slots, in one
// call. A slot may be in both lists. For a slot that has a record, nothing is
// popped and that record is returned. So a second call after a lost reply returns
// the same jobs and changes nothing else.
//
// Ruby: Resque::Worker#done_working, #reserve and #working_on, three calls.
func (s *Store) Exchange(ctx context.Context, queues []string, finished []Outcome, free []Slot) (Exchanged, error) {
	if x, ok, err := s.exchangeUsual(ctx, queues, finished, free); ok || err != nil {
		return x, err
	}
	call := s.exchangeCall(queues, finished, free)
	var reply []any
	err := s.with(ctx, func(c conn) (err error) {
		reply, err = redis.Values(c.script(call.script, call.list()...))
		return err
	})
	if err != nil {
		return Exchanged{}, fmt.Errorf("finishing %d jobs and reserving for %d slots: %w", len(finished), len(free), err)
	}
	x, err := call.read(reply)
	if err == nil {
		s.noteLimits(call.limited)
	}
	if err == nil && len(call.large)+len(call.unreadable) > 0 {
		s.completeLarge(ctx, call, &x)
	}
	return x, err
}

const (
	// unusualCalls is how many calls do not try exchange_usual.lua after it did nothing.
	// The reason, such as a pause, may last.
	unusualCalls = 32

	// Calls with more queues or slots do not try it.
	usualQueues = 8
	usualSlots  = 1000
)

// exchangeUsual does what Exchange does, faster, if all is as usual: see
// exchange_usual.lua. ok is false if it has changed nothing.
func (s *Store) exchangeUsual(ctx context.Context, queues []string, finished []Outcome, free []Slot) (x Exchanged, ok bool, err error) {
	if !s.isUsual(queues, finished, free) {
		return x, false, nil
	}
	k := s.queueKeys(queues)
	if k.prefix == 0 || s.unusual.Add(-1) >= 0 {
		return x, false, nil
	}
	words := s.usualWords(k, finished, free)
	var reply []any
	err = s.with(ctx, func(c conn) (err error) {
		reply, err = redis.Values(c.script(s.scripts.usual, words...))
		return err
	})
	switch {
	case errors.Is(err, redis.ErrNil):
		s.unusual.Store(unusualCalls)
		return x, false, nil
	case err != nil:
		return x, false, fmt.Errorf("finishing %d jobs and reserving for %d slots: %w", len(finished), len(free), err)
	}
	call := &exchangeCall{queueKeys: k, free: free}
	if err = call.readUsual(&x, len(finished), reply); err == nil && len(call.unreadable) > 0 {
		s.completeLarge(ctx, call, &x)
	}
	return x, true, err
}

// isUsual reports whether the slots that finished jobs are the first free ones, and have
// nothing to write but that a job was processed, and no limit is known.
func (s *Store) isUsual(queues []string, finished []Outcome, free []Slot) bool {
	if len(queues) == 0 || len(queues) > usualQueues || len(finished) > len(free) || len(free) == 0 || len(free) > usualSlots {
		return false
	}
	if l := s.lastLimits.Load(); l != nil && len(l.names) > 0 {
		return false
	}
	for i := range finished {
		o := &finished[i]
		processed := s.workerArgs(o.Worker).processed
		if o.Worker != free[i].Worker || o.Long || len(o.Expect) > 0 || len(o.Guard) == 0 ||
			len(o.Effects) != len(processed) || &o.Effects[0] != &processed[0] {
			return false
		}
	}
	return true
}

// usualWords returns the words of a call of exchange_usual.lua: the number of keys, the
// keys, and the arguments.
func (s *Store) usualWords(k *queueKeys, finished []Outcome, free []Slot) []any {
	count := 5 + 2*len(k.queues) + len(free) + len(finished)
	words := make([]any, 0, 1+count+4+2*len(free)+len(finished))
	lists, others := k.keys[:len(k.queues)], k.keys[len(k.queues):]
	words = append(words, count, s.keys.pauseAll(), s.keys.pauseEvery(), s.keys.workers(), others[len(lists)])
	words = append(append(words, others[:len(lists)]...), lists...)
	for i := range free {
		words = append(words, s.workerArgs(free[i].Worker).record)
	}
	words = append(words, s.keys.stat("processed"))
	for i := range finished {
		words = append(words, finished[i].Effects[1].key)
	}
	words = append(words, len(k.queues), len(free), len(finished), k.prefix)
	for i := range free {
		words = append(words, free[i].RunAt)
	}
	for i := range free {
		words = append(words, s.workerArgs(free[i].Worker).id)
	}
	for i := range finished {
		words = append(words, finished[i].Guard)
	}
	return words
}

// readUsual parses a reply of exchange_usual.lua.
func (c *exchangeCall) readUsual(x *Exchanged, finished int, reply []any) error {
	x.Fault = c.fault
	if finished > 0 {
		x.Finished = make([]FinishResult, finished)
		for i := range x.Finished {
			x.Finished[i].Ours = true
		}
	}
	if len(reply) < 1+len(c.queues) {
		return errNotAsked
	}
	more, _ := reply[0].(int64)
	x.More = more == 1
	counts, jobs := reply[1:1+len(c.queues)], reply[1+len(c.queues):]
	for queue, count := range counts {
		n, ok := count.(int64)
		if !ok || n < 0 || int(n) > len(jobs) || len(x.Reserved)+int(n) > len(c.free) {
			return errNotAsked
		}
		if n > 0 && x.Reserved == nil {
			x.Reserved = make([]Reserved, 0, len(c.free))
		}
		for _, job := range jobs[:n] {
			slot := c.free[len(x.Reserved)]
			text, ok := job.([]byte)
			if !ok {
				return errNotAsked
			}
			x.Reserved = append(x.Reserved, Reserved{
				Worker: slot.Worker, Queue: c.queues[queue],
				Payload: wire.RestorePayload(text), Guard: wire.RecordGuard(c.names[queue], slot.RunAt),
			})
		}
		jobs = jobs[n:]
	}
	for _, number := range jobs {
		n, _ := number.(int64)
		if n < 1 || int(n) > len(x.Reserved) {
			return errNotAsked
		}
		if job := x.Reserved[n-1]; !wire.Recordable(job.Payload) {
			c.unreadable = append(c.unreadable, job)
		}
	}
	return nil
}
