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
		x                  Exchanged
		fault              string
		statuses, reserved []any
		unknown            []int
	)
	if _, err := redis.Scan(reply, &x.Paused, &fault, &statuses, &reserved, &unknown); err != nil {
		return x, fmt.Errorf("reading an exchange's reply: %w", err)
	}
	x.Fault = c.fault
	if fault != "" {
		x.Fault = redis.Error(fault)
	}
	for _, status := range statuses {
		x.Settled = append(x.Settled, settled(status))
	}
	for _, slot := range unknown {
		if slot < 1 || slot > len(c.free) {
			return x, errNotAsked
		}
		x.Unknown = append(x.Unknown, c.free[slot-1].Worker)
	}
	for len(reserved) > 0 {
		var (
			slot, queue int
			text        []byte
		)
		rest, err := redis.Scan(reserved, &slot, &queue, &text)
		if err != nil {
			return x, fmt.Errorf("reading a reserved job: %w", err)
		}
		reserved = rest
		if slot < 1 || slot > len(c.free) || queue > len(c.queues) {
			return x, errNotAsked
		}
		job, err := c.reserved(c.free[slot-1], queue-1, text)
		if err != nil { // somebody else's writing; the other slots go on
			x.Fault = err
			continue
		}
		x.Reserved = append(x.Reserved, job)
	}
	return x, nil
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
