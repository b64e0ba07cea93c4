package store

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/wire"
)

var (
	//go:embed settle.lua
	settleLua string
	//go:embed exchange.lua
	exchangeLua string
	//go:embed rewrite.lua
	rewriteLua string
)

// Slot is a worker id that is free to take a job now.
type Slot struct {
	Worker string
	RunAt  string // the new record's run_at; unique for each reserve of this slot
}

// Reserved is a job that is in its slot's record.
type Reserved struct {
	Worker  string
	Queue   string
	Payload []byte // as it was in the queue, or in the unreadable payload there
	Guard   []byte // how the record begins, unlike any other reserve's
	Adopted bool   // an earlier reserve, whose reply was lost, put it there
}

// Outcome is what a finished job leaves behind: effects that happen together
// with the end of its record, and only if Guard shows that the record is ours.
type Outcome struct {
	Worker  string
	Guard   []byte
	Effects []Effect
	Long    bool // the record is a long one: better not read whole for its guard
}

// LongRecord is from how many bytes of payload on a record is a long one.
const LongRecord = 4096

// Effect is one write of an outcome. Build them with the methods of Store.
type Effect struct {
	counter bool // the key grows by one
	command string
	key     any // a string
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
	More     bool  // slots were left free because one call copies only so many bytes
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
	call := s.exchangeCall(queues, finished, free)
	var reply []any
	err := s.with(ctx, func(c conn) (err error) {
		reply, err = redis.Values(c.script(s.scripts.exchange, call.words()...))
		return err
	})
	if err != nil {
		return Exchanged{}, fmt.Errorf("exchanging %d finished for %d free: %w", len(finished), len(free), err)
	}
	x, err := call.read(reply)
	if err == nil && len(call.large)+len(call.unreadable) > 0 {
		s.completeLarge(ctx, call, &x)
	}
	return x, err
}

// completeLarge reads the payloads that exchange.lua has not returned because they
// are large, and rewrites the records of those that it has not checked and Ruby
// could not read. The jobs are reserved whether or not this succeeds: a later
// exchange finds them in their records, and a sweep repeats the rewriting.
func (s *Store) completeLarge(ctx context.Context, call *exchangeCall, x *Exchanged) {
	for _, i := range call.large {
		r := &x.Reserved[i]
		payload, ok, err := s.recordPayload(ctx, *r)
		if err != nil {
			x.More, x.Fault = true, errors.Join(x.Fault, err)
		}
		if !ok {
			continue
		}
		r.Payload = wire.RestorePayload(payload)
		if !wire.Recordable(payload) {
			call.unreadable = append(call.unreadable, *r)
		}
	}
	x.Reserved = slices.DeleteFunc(x.Reserved, func(r Reserved) bool { return r.Payload == nil })
	if err := s.rewriteRecords(ctx, call.unreadable); err != nil {
		x.Fault = errors.Join(x.Fault, err)
	}
}

// recordPayload reads the payload that exchange.lua has spliced into r's record.
// ok is false if the record is not of this reserve any more.
func (s *Store) recordPayload(ctx context.Context, r Reserved) (payload []byte, ok bool, err error) {
	var text []byte
	err = s.with(ctx, func(c conn) (err error) {
		text, err = redis.Bytes(c.do("GET", s.keys.worker(r.Worker)))
		return err
	})
	if err != nil && !errors.Is(err, redis.ErrNil) {
		return nil, false, fmt.Errorf("reading the record of worker %q: %w", r.Worker, err)
	}
	text, ours := bytes.CutPrefix(text, r.Guard)
	text, begins := bytes.CutPrefix(text, []byte(wire.PayloadMember))
	text, ends := bytes.CutSuffix(text, []byte("}"))
	return text, ours && begins && ends, nil
}

// rewriteRecords replaces the records of jobs whose payloads exchange.lua has not
// checked and Ruby could not read. A Ruby worker that booted before, and found
// this worker dead, would end.
func (s *Store) rewriteRecords(ctx context.Context, jobs []Reserved) error {
	for _, r := range jobs {
		text := fmt.Appendf(nil, "%s%s%s}", r.Guard, wire.PayloadMember, wire.UnreadablePayload(r.Payload))
		err := s.with(ctx, func(c conn) error {
			_, err := c.script(s.scripts.rewrite, 1, s.keys.worker(r.Worker), r.Guard, text)
			return err
		})
		if err != nil {
			return fmt.Errorf("rewriting the record of worker %q: %w", r.Worker, err)
		}
	}
	return nil
}

// exchangeCall holds one call's words and what its reply is to be read with.
type exchangeCall struct {
	call
	*looked
	finished   []int // for each slot that has finished, which of the caller's outcomes it is
	free       []Slot
	large      []int      // the reserved jobs whose payloads the reply does not have
	unreadable []Reserved // whose records Ruby could not read
}

func (s *Store) exchangeCall(queues []string, finished []Outcome, free []Slot) *exchangeCall {
	c := &exchangeCall{looked: s.look(queues), free: free}
	long, both := c.arrange(finished, free)
	counters := shared(finished)
	form := c.form(finished, counters)
	size := len(c.looked.keys) + len(counters) + 3*(len(finished)+len(free))
	c.call.keys = append(make([]any, 0, 3+size), s.keys.pauseAll(), s.keys.pauseEvery(), s.keys.workers())
	c.call.keys = append(c.call.keys, c.looked.keys...)
	c.args = append(make([]any, 0, 8+size),
		len(c.queues), len(finished)+len(free)-both, len(finished), len(free), long, len(counters), form, c.prefix)
	if c.prefix == 0 {
		for _, name := range c.names {
			c.args = append(c.args, name)
		}
	}
	for _, i := range c.finished {
		c.call.keys = append(c.call.keys, s.words(finished[i].Worker).record)
	}
	for _, slot := range free[both:] {
		c.call.keys = append(c.call.keys, s.words(slot.Worker).record)
	}
	c.call.keys = append(c.call.keys, counters...)
	for _, slot := range free {
		c.args = append(c.args, slot.RunAt)
	}
	for _, slot := range free {
		c.args = append(c.args, s.words(slot.Worker).id)
	}
	c.outcomes(finished, counters, form)
	return c
}

// The forms in which outcomes are sent; see exchange.lua.
const (
	plain   = "plain"
	ordered = "ordered"
	mixed   = "mixed"
)

// form is the shortest in which the outcomes can be sent. Their effects are to
// happen in the caller's order.
func (c *exchangeCall) form(finished []Outcome, shared []any) string {
	if !slices.IsSorted(c.finished) {
		return mixed
	}
	for _, o := range finished {
		if len(o.Effects) != len(shared)+1 || slices.ContainsFunc(o.Effects, func(e Effect) bool { return !e.counter }) {
			return ordered
		}
	}
	return plain
}

// outcomes adds the outcomes in a form.
func (c *exchangeCall) outcomes(finished []Outcome, shared []any, form string) {
	slots := make([]int, len(finished))
	for slot, i := range c.finished {
		slots[i] = slot + 1
	}
	for i, o := range finished {
		if form == plain {
			c.args = append(c.args, o.Guard)
			c.counters(o, shared)
			continue
		}
		if form == mixed {
			c.args = append(c.args, slots[i])
		}
		c.outcome(o, shared...)
	}
}

// arrange puts the slots in the order of exchange.lua: first those with long
// records, then those of slots that only finished, then those of slots that are
// free, too. For the last it takes as many as begin the free ones, so that jobs
// are taken in the order of these.
func (c *exchangeCall) arrange(finished []Outcome, free []Slot) (long, both int) {
	of := make(map[string]int, len(finished)) // from 1; below 0: more than one, or a long one
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
		} else if unchecked && !wire.Recordable(text) {
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
		r, err := wire.ParseRecord(text)
		if err != nil {
			return Reserved{}, fmt.Errorf("adopting the record of %q: %w", s.Worker, err)
		}
		return Reserved{Worker: s.Worker, Queue: r.Queue, Payload: r.Payload, Guard: r.Guard, Adopted: true}, nil
	}
	return Reserved{
		Worker:  s.Worker,
		Queue:   c.queues[queue],
		Payload: wire.RestorePayload(text), // as adopting it would
		Guard:   wire.RecordGuard(c.names[queue], s.RunAt),
	}, nil
}
