package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/wire"
)

// exchangeCall has the arguments of one call, and what is needed to read its reply.
type exchangeCall struct {
	call
	*queueKeys
	script     *script
	limits     *limitKeys
	limited    []string // if not nil, the queues that have limits, because limits does not have them
	finished   []int    // for each slot that has finished, the index of its outcome
	free       []Slot
	large      []int      // the indexes of the reserved jobs whose payloads are not in the reply
	parked     string     // what the keys of the lists of parked jobs begin with
	unreadable []Reserved // jobs whose records Ruby could not read
}

func (s *Store) exchangeCall(queues []string, finished []Outcome, free []Slot) *exchangeCall {
	c := &exchangeCall{queueKeys: s.queueKeys(queues), free: free, parked: s.keys.parked("")}
	c.limits = s.limitKeys(c.queueKeys)
	long, both := c.arrange(finished, free)
	counters := shared(finished)
	form := c.form(finished, counters)
	size := len(c.queueKeys.keys) + len(counters) + 3*(len(finished)+len(free)) + len(c.limits.keys)
	c.call.keys = append(make([]any, 0, 4+size), s.keys.pauseAll(), s.keys.pauseEvery(), s.keys.workers())
	c.call.keys = append(c.call.keys, c.queueKeys.keys...)
	c.args = append(make([]any, 0, 13+size),
		len(c.queues), len(finished)+len(free)-both, len(finished), len(free), long, len(counters), form, c.deletes(finished, form), c.prefix)
	if c.prefix == 0 {
		for _, name := range c.names {
			c.args = append(c.args, name)
		}
	}
	c.args = append(c.args, len(c.limits.names))
	for _, i := range c.finished {
		c.call.keys = append(c.call.keys, s.workerArgs(finished[i].Worker).record)
	}
	for _, slot := range free[both:] {
		c.call.keys = append(c.call.keys, s.workerArgs(slot.Worker).record)
	}
	c.call.keys = append(append(c.call.keys, counters...), c.limits.keys...)
	for _, slot := range free {
		c.args = append(c.args, slot.RunAt)
	}
	for _, slot := range free {
		c.args = append(c.args, s.workerArgs(slot.Worker).id)
	}
	if len(c.limits.names) > 0 {
		c.args = append(append(c.args, len(s.keys.worker("")), c.limitsOf(finished)), c.limits.args...)
	}
	c.outcomes(finished, counters, form)
	c.script = s.scripts.exchange
	if form == plain && len(c.limits.names) == 0 {
		c.script = s.scripts.plain
	}
	return c
}

// The forms of outcomes; see exchange.lua.
const (
	plain   = "plain"
	ordered = "ordered"
	mixed   = "mixed"
)

// form returns the shortest form in which the outcomes can be sent. Their effects
// happen in the order of finished.
func (c *exchangeCall) form(finished []Outcome, shared []any) string {
	if !slices.IsSorted(c.finished) {
		return mixed
	}
	for _, o := range finished {
		counts, deletes := 0, 0
		for _, e := range o.Effects {
			switch {
			case e.counter:
				counts++
			case e.deletes:
				deletes++
			}
		}
		if len(o.Expect) > 0 || counts != len(shared)+1 || deletes > 1 || counts+deletes != len(o.Effects) {
			return ordered
		}
	}
	return plain
}

// deletes returns for each of the plain outcomes whether it deletes a key.
func (c *exchangeCall) deletes(finished []Outcome, form string) string {
	digits := []byte(nil)
	for at, i := range c.finished {
		if form == plain && slices.ContainsFunc(finished[i].Effects, func(e Effect) bool { return e.deletes }) {
			if digits == nil {
				digits = bytes.Repeat([]byte("0"), len(c.finished))
			}
			digits[at] = '1'
		}
	}
	return string(digits)
}

// outcomes adds the outcomes in the given form.
func (c *exchangeCall) outcomes(finished []Outcome, shared []any, form string) {
	slots := make([]int, len(finished))
	for slot, i := range c.finished {
		slots[i] = slot + 1
	}
	for i, o := range finished {
		if form == plain {
			c.args = append(c.args, o.Guard)
			c.counters(o, shared)
			for _, e := range o.Effects {
				if e.deletes {
					c.call.keys = append(c.call.keys, e.key)
				}
			}
			continue
		}
		if form == mixed {
			c.args = append(c.args, slots[i])
		}
		c.outcome(o, shared...)
	}
}

// arrange sets c.finished to the order of exchange.lua: first the slots with long
// records, then those that only finished, then those that finished and are free. The
// last are a prefix of free, so that jobs are given in the order of free. long and
// both are the numbers of the first and the last kind.
func (c *exchangeCall) arrange(finished []Outcome, free []Slot) (long, both int) {
	of := make(map[string]int, len(finished)) // by worker, from 1; -1 for several or a long one
	for i, o := range finished {
		if of[o.Worker] != 0 || o.Long {
			of[o.Worker] = -1
		} else {
			of[o.Worker] = i + 1
		}
	}
	for both < len(free) && of[free[both].Worker] > 0 {
		both++
	}
	c.finished = make([]int, 0, len(finished))
	for i, o := range finished {
		if o.Long {
			c.finished = append(c.finished, i)
		}
	}
	long = len(c.finished)
	last := make([]int, both)
	for i, slot := range free[:both] {
		last[i] = of[slot.Worker] - 1
		of[slot.Worker] = 0
	}
	for i, o := range finished {
		if !o.Long && of[o.Worker] != 0 {
			c.finished = append(c.finished, i)
		}
	}
	c.finished = append(c.finished, last...)
	return long, both
}

var errNotAsked = errors.New("the reply of exchange.lua names a slot or a queue that is not in the call")

// read parses the reply of exchange.lua.
func (c *exchangeCall) read(reply []any) (Exchanged, error) {
	var (
		x        Exchanged
		fault    string
		statuses any
		reserved []any
		unknown  []int
	)
	if _, err := redis.Scan(reply, &x.Paused, &fault, &statuses, &reserved, &unknown, &x.More); err != nil {
		return x, fmt.Errorf("reading the reply of exchange.lua: %w", err)
	}
	x.Fault = c.fault
	if fault != "" {
		x.Fault = redis.Error(fault)
	}
	var err error
	if x.Finished, err = c.results(statuses); err != nil {
		return x, err
	}
	for _, slot := range unknown {
		if slot < 1 || slot > len(c.free) {
			return x, errNotAsked
		}
		x.Unknown = append(x.Unknown, c.free[slot-1].Worker)
	}
	if err := c.readLimits(&x, reply[6:]); err != nil {
		return x, err
	}
	return x, c.readReserved(&x, reserved)
}

// readReserved parses the jobs and puts them into the order of the free slots.
func (c *exchangeCall) readReserved(x *Exchanged, reserved []any) error {
	if len(reserved) == 0 {
		return nil
	}
	at := make([]int, len(c.free)) // the position of the queue number of each slot's job
	for i := 0; i+2 < len(reserved); i += 3 {
		slot, _ := reserved[i].(int64)
		if slot < 1 || int(slot) > len(c.free) {
			return errNotAsked
		}
		at[slot-1] = i + 1
	}
	x.Reserved = make([]Reserved, 0, len(reserved)/3)
	for i, slot := range c.free {
		if at[i] == 0 {
			continue
		}
		queue, _ := reserved[at[i]].(int64)
		text, ok := reserved[at[i]+1].([]byte)
		unchecked := queue < 0
		if unchecked {
			queue = -queue
		}
		if queue > int64(len(c.queues)) || !ok && !unchecked {
			return errNotAsked
		}
		job, err := c.reserved(slot, int(queue)-1, text)
		if err != nil { // another program wrote the record; the other slots continue
			x.Fault = err
			continue
		}
		if !ok {
			job.Payload = nil
			c.large = append(c.large, len(x.Reserved))
		} else if unchecked && !wire.Recordable(text) {
			c.unreadable = append(c.unreadable, job)
		}
		x.Reserved = append(x.Reserved, job)
	}
	return nil
}

// results returns the statuses in the order of the caller's outcomes.
func (c *exchangeCall) results(statuses any) ([]FinishResult, error) {
	if len(c.finished) == 0 {
		return nil, nil
	}
	all := make([]FinishResult, len(c.finished))
	each, ok := statuses.([]any)
	if ok && len(each) != len(all) {
		return nil, errNotAsked
	}
	for i, at := range c.finished {
		if ok {
			all[at] = result(each[i])
		} else {
			all[at] = FinishResult{Ours: true}
		}
	}
	return all, nil
}

func (c *exchangeCall) reserved(s Slot, queue int, text []byte) (Reserved, error) {
	if queue < 0 {
		r, err := wire.ParseRecord(text)
		if err != nil {
			return Reserved{}, fmt.Errorf("adopting the record of %q: %w", s.Worker, err)
		}
		job := Reserved{Worker: s.Worker, Queue: r.Queue, Payload: r.Payload, Guard: r.Guard, Adopted: true}
		if r.Damaged {
			c.unreadable = append(c.unreadable, job)
		}
		return job, nil
	}
	return Reserved{
		Worker:  s.Worker,
		Queue:   c.queues[queue],
		Payload: wire.RestorePayload(text), // as for an adopted job
		Guard:   wire.RecordGuard(c.names[queue], s.RunAt),
	}, nil
}

// uncountedError returns the error that a script has returned for a counter.
func uncountedError(reply any) error {
	text, _ := reply.([]byte)
	return redis.Error(text)
}
