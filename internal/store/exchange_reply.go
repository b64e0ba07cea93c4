package store

import (
	"errors"
	"fmt"

	"github.com/gomodule/redigo/redis"
)

var errNotAsked = errors.New("an exchange's reply names a slot or a queue that was not asked for")

// read turns exchange.lua's reply into what it says.
func (c *exchangeCall) read(reply []any) (Exchanged, error) {
	var (
		x        Exchanged
		fault    string
		statuses any
		reserved []any
		unknown  []int
	)
	if _, err := redis.Scan(reply, &x.Paused, &fault, &statuses, &reserved, &unknown, &x.More); err != nil {
		return x, fmt.Errorf("reading an exchange's reply: %w", err)
	}
	x.Fault = c.fault
	if fault != "" {
		x.Fault = redis.Error(fault)
	}
	var err error
	if x.Settled, err = c.settled(statuses); err != nil {
		return x, err
	}
	for _, slot := range unknown {
		if slot < 1 || slot > len(c.free) {
			return x, errNotAsked
		}
		x.Unknown = append(x.Unknown, c.free[slot-1].Worker)
	}
	return x, c.readReserved(&x, reserved)
}

// readReserved reads the jobs, which it brings into the order of the slots.
func (c *exchangeCall) readReserved(x *Exchanged, reserved []any) error {
	if len(reserved) == 0 {
		return nil
	}
	at := make([]int, len(c.free)) // where each slot's is, from 1
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
		if err != nil { // somebody else's writing; the other slots go on
			x.Fault = err
			continue
		}
		if !ok {
			job.Payload = nil
			c.large = append(c.large, len(x.Reserved))
		} else if unchecked && !recordable(text) {
			c.unreadable = append(c.unreadable, job)
		}
		x.Reserved = append(x.Reserved, job)
	}
	return nil
}

// settled brings the statuses into the order of the caller's outcomes.
func (c *exchangeCall) settled(statuses any) ([]Settled, error) {
	if len(c.finished) == 0 {
		return nil, nil
	}
	all := make([]Settled, len(c.finished))
	each, ok := statuses.([]any)
	if ok && len(each) != len(all) {
		return nil, errNotAsked
	}
	for i, at := range c.finished {
		if ok {
			all[at] = settled(each[i])
		} else {
			all[at] = Settled{Ours: true}
		}
	}
	return all, nil
}

func settled(status any) Settled {
	switch status := status.(type) {
	case int64:
		return Settled{Ours: status == 1}
	case []byte:
		return Settled{Ours: true, Err: redis.Error(status)}
	default:
		return Settled{Ours: true, Err: fmt.Errorf("settling answered a %T", status)}
	}
}

func (c *exchangeCall) reserved(s Slot, queue int, text []byte) (Reserved, error) {
	if queue < 0 {
		r, err := parseRecord(text)
		if err != nil {
			return Reserved{}, fmt.Errorf("adopting the record of %q: %w", s.Worker, err)
		}
		return Reserved{Worker: s.Worker, Queue: r.queue, Payload: r.payload, Guard: r.guard, Adopted: true}, nil
	}
	return Reserved{
		Worker:  s.Worker,
		Queue:   c.queues[queue],
		Payload: RestorePayload(text), // as adopting it would
		Guard:   recordGuard(c.names[queue], s.RunAt),
	}, nil
}
