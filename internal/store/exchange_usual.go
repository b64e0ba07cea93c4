package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/wire"
)

//go:embed exchange_usual.lua
var exchangeUsualLua string

const (
	// unusualCalls is how many calls do not try exchange_usual.lua after it did nothing.
	// The reason, such as a pause, may last.
	unusualCalls = 32

	// Calls with more queues, slots, limits, or effects of a job do not try it.
	usualQueues  = 8
	usualSlots   = 1000
	usualLimits  = 100
	usualEffects = 6
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
	call := &exchangeCall{queueKeys: k, free: free, limits: s.limitKeys(k), parked: s.keys.parked("")}
	script := s.scripts.usual
	if len(call.limits.names) > 0 {
		script = s.scripts.limited
	}
	words := s.usualWords(call, finished, free)
	var reply []any
	err = s.with(ctx, func(c conn) (err error) {
		reply, err = redis.Values(c.script(script, words...))
		return err
	})
	switch {
	case errors.Is(err, redis.ErrNil):
		s.unusual.Store(unusualCalls)
		return x, false, nil
	case err != nil:
		return x, false, fmt.Errorf("finishing %d jobs and reserving for %d slots: %w", len(finished), len(free), err)
	}
	if err = call.readUsual(&x, len(finished), reply); err == nil && len(call.unreadable) > 0 {
		s.completeLarge(ctx, call, &x)
	}
	return x, true, err
}

// isUsual reports whether the slots that finished jobs are the first free ones, and have
// nothing to write but what exchange_usual.lua can.
func (s *Store) isUsual(queues []string, finished []Outcome, free []Slot) bool {
	if len(queues) == 0 || len(queues) > usualQueues || len(finished) > len(free) || len(free) == 0 || len(free) > usualSlots {
		return false
	}
	if l := s.lastLimits.Load(); l != nil && len(l.names) > usualLimits {
		return false
	}
	for i := range finished {
		o := &finished[i]
		if o.Worker != free[i].Worker || o.Long || len(o.Expect) > 0 || len(o.Guard) == 0 ||
			!o.isUsual(s.workerArgs(o.Worker)) {
			return false
		}
	}
	return true
}

// isUsual reports whether the effects of an outcome are those of processed jobs, and others
// that exchange_usual.lua can write.
func (o *Outcome) isUsual(w *workerArgs) bool {
	if len(o.Effects) == len(w.processed) && &o.Effects[0] == &w.processed[0] { // mostly
		return true
	}
	if len(o.Effects) > usualEffects {
		return false
	}
	counts := 0
	for _, e := range o.Effects {
		switch {
		case e.counter && counts < len(w.processed) && e.key == w.processed[counts].key:
			counts++
		case e.counter || !e.deletes && !e.unlocks && (e.place == "" || e.place != o.Worker):
			return false
		}
	}
	return counts == len(w.processed)
}

// usualWords returns the words of a call of exchange_usual.lua: the number of keys, the
// keys, and the arguments.
func (s *Store) usualWords(call *exchangeCall, finished []Outcome, free []Slot) []any {
	k, effects := call.queueKeys, 0
	for i := range finished {
		effects += len(finished[i].Effects)
	}
	size := 16 + 2*len(k.queues) + 3*len(free) + 2*len(finished) + 2*effects + 4*len(call.limits.keys)
	words := make([]any, 1, size)
	lists, others := k.keys[:len(k.queues)], k.keys[len(k.queues):]
	words = append(words, s.keys.pauseAll(), s.keys.pauseEvery(), s.keys.workers(), others[len(lists)])
	words = append(append(words, others[:len(lists)]...), lists...)
	for i := range free {
		words = append(words, s.workerArgs(free[i].Worker).record)
	}
	var strings, keys, places, slots []any
	for i := range finished {
		for j := range finished[i].Effects {
			switch e := &finished[i].Effects[j]; {
			case e.unlocks:
				strings = append(strings, e.key)
			case e.deletes:
				keys = append(keys, e.key)
			case e.place != "":
				places, slots = append(places, e.key, e.more[0]), append(slots, i+1)
			}
		}
	}
	words = append(append(words, strings...), s.keys.stat("processed"))
	for i := range finished {
		words = append(words, s.workerArgs(finished[i].Worker).processed[1].key)
	}
	words = append(append(append(words, keys...), places...), call.limits.keys...)
	words[0] = len(words) - 1
	words = append(words, len(k.queues), len(free), len(finished), k.prefix, len(strings), len(keys), len(slots), len(call.limits.names))
	for i := range free {
		words = append(words, free[i].RunAt)
	}
	for i := range free {
		words = append(words, s.workerArgs(free[i].Worker).id)
	}
	for i := range finished {
		words = append(words, finished[i].Guard)
	}
	words = append(append(words, slots...), call.limits.args...)
	if len(call.limits.names) > 0 {
		for i := range finished {
			words = append(words, call.limits.at[finished[i].Queue])
		}
	}
	return words
}

// readUsual parses a reply of exchange_usual.lua.
func (c *exchangeCall) readUsual(x *Exchanged, finished int, reply []any) error {
	x.Fault = c.fault
	if len(reply) < 2+len(c.queues) {
		return errNotAsked
	}
	more, _ := reply[0].(int64)
	x.More = more == 1
	if fault, ok := reply[1].([]byte); ok {
		x.Fault = redis.Error(fault)
	}
	if finished > 0 {
		x.Finished = make([]FinishResult, finished)
		for i := range x.Finished {
			x.Finished[i].Ours = true
		}
	}
	counts, jobs := reply[2:2+len(c.queues)], reply[2+len(c.queues):]
	for queue, count := range counts {
		n, ok := count.(int64)
		if !ok || n < 0 || int(n) > len(jobs) || len(x.Reserved)+int(n) > len(c.free) {
			return errNotAsked
		}
		if n > 0 && x.Reserved == nil {
			x.Reserved = make([]Reserved, 0, len(c.free))
		}
		guards := make([]byte, 0, int(n)*wire.RecordGuardSize(c.names[queue])) // one allocation for all
		for _, job := range jobs[:n] {
			slot := c.free[len(x.Reserved)]
			text, ok := job.([]byte)
			if !ok {
				return errNotAsked
			}
			start := len(guards)
			guards = wire.AppendRecordGuard(guards, c.names[queue], slot.RunAt)
			x.Reserved = append(x.Reserved, Reserved{
				Worker: slot.Worker, Queue: c.queues[queue],
				Payload: wire.RestorePayload(text), Guard: guards[start:len(guards):len(guards)],
			})
		}
		jobs = jobs[n:]
	}
	for _, word := range jobs {
		if uncounted, ok := word.([]any); ok && len(uncounted) == 1 {
			x.Uncounted = uncountedError(uncounted[0])
			continue
		}
		if list, ok := word.([]byte); ok {
			x.Unparked = append(x.Unparked, string(list[min(len(c.parked), len(list)):]))
			continue
		}
		n, _ := word.(int64)
		if n < 1 || int(n) > len(x.Reserved) {
			return errNotAsked
		}
		if job := x.Reserved[n-1]; !wire.Recordable(job.Payload) {
			c.unreadable = append(c.unreadable, job)
		}
	}
	return nil
}
