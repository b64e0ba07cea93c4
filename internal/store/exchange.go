package store

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/gomodule/redigo/redis"
)

var (
	//go:embed args.lua
	argsLua string
	//go:embed payload.lua
	payloadLua string
	//go:embed limit.lua
	limitLua string
	//go:embed limit_place.lua
	limitPlaceLua string
	//go:embed exchange.lua
	exchangeLua string
	//go:embed exchange_reserve.lua
	exchangeReserveLua string
	//go:embed exchange_end.lua
	exchangeEndLua string
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
	// Uncounted is why counters did not grow for jobs that are finished; nil if all did.
	Uncounted error
	Fault     error // why a queue or a record could not be read; nil if all could
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
