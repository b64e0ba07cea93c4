package store

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"
)

var (
	//go:embed batch.lua
	batchLua string
	//go:embed batch_open.lua
	batchOpenLua string
	//go:embed batch_add.lua
	batchAddLua string
	//go:embed batch_seal.lua
	batchSealLua string
	//go:embed batch_end.lua
	batchEndLua string
)

// The bits of a batch's members, by number, and of its chunks.
const (
	batchEnded     = "ended"
	batchFailed    = "failed"
	batchAdded     = "added"
	batchAbandoned = "abandoned"
)

// NewBatch is a batch to create.
type NewBatch struct {
	Description       string
	Complete, Success Callback
	Keep              time.Duration // after the last callback was pushed
}

// Callback is a job that is pushed when a batch is complete. The zero Callback is none.
type Callback struct {
	Queue   string
	Payload []byte
}

// memberEnd is the end of a member of a batch: see MemberEnded.
type memberEnd struct {
	keys, args []any
}

// HowEnded is how a member of a batch has ended.
type HowEnded string

// The ends of members.
const (
	MemberDone    HowEnded = "done"
	MemberFailed  HowEnded = "failed"
	MemberSkipped HowEnded = "skipped" // it was not performed, because the batch is canceled

	MemberRemoved   HowEnded = "removed"   // from its queue
	MemberForgotten HowEnded = "forgotten" // its failure was removed
	MemberRestored  HowEnded = "restored"  // it, or its failure, was restored
)

// BatchKey is the key of a batch, under which the value of MemberEnded is seen.
func (s *Store) BatchKey(id string) string { return s.memberKeys(id).batch }

// MemberEnded counts the end of a member of a batch, and pushes the callbacks of the batch
// if they are due. It must be the last expectation of an outcome. It is not met if a
// callback is due and seen is not the text that names the callbacks' queues. The value is
// then that text. ok is false if the text is not known.
func (s *Store) MemberEnded(id string, n int64, how HowEnded, seen string, ok bool) Expectation {
	keys := s.memberKeys(id)
	e := &memberEnd{keys: keys.bits, args: []any{n, string(how), seen}}
	if ok {
		queues := callbackQueues(seen)
		e.keys = append(e.keys, s.closingKeys(id, queues)...)
		e.args = append(e.args, id, queues[0], queues[1])
	}
	return Expectation{Key: keys.batch, member: e}
}

// memberKeys has the keys of a batch that each end of a member needs.
type memberKeys struct {
	id, batch string
	bits      []any
}

// memberKeys returns the keys of a batch. Those of the last one are kept.
func (s *Store) memberKeys(id string) *memberKeys {
	if k := s.lastBatch.Load(); k != nil && k.id == id {
		return k
	}
	bits := []any{s.keys.batch(id, batchEnded), s.keys.batch(id, batchFailed), s.keys.batch(id, batchAbandoned)}
	k := &memberKeys{id: id, batch: s.keys.batch(id), bits: bits[:len(bits):len(bits)]}
	s.lastBatch.Store(k)
	return k
}

// closingKeys returns the keys that batch_close in batch.lua needs after those of the
// bits of members.
func (s *Store) closingKeys(id string, queues [2]string) []any {
	return []any{
		s.keys.batch(id, batchAdded), s.keys.batches(), s.keys.queues(),
		s.keys.queue(queues[0]), s.keys.queue(queues[1]),
	}
}

// callbackQueues parses the text that names the queues of the callbacks of a batch.
func callbackQueues(text string) (queues [2]string) {
	_ = json.Unmarshal([]byte(text), &queues) // a damaged text names none
	return queues
}

// ErrNoBatch is returned for a batch that does not exist.
var ErrNoBatch = errors.New("the batch does not exist")

// TakeMembers gives numbers to n new members of a batch and returns the first one. It
// creates the batch if it does not exist and create is not nil. Numbers that are not used
// do no harm.
func (s *Store) TakeMembers(ctx context.Context, id string, create *NewBatch, n int) (first int64, err error) {
	args := []any{2, s.keys.batch(id), s.keys.batches(), n, id}
	if create != nil {
		queues, err := json.Marshal([]string{create.Complete.Queue, create.Success.Queue})
		if err != nil {
			return 0, fmt.Errorf("encoding the queues of the callbacks: %w", err)
		}
		args = append(args, "callbacks", queues, "keep", create.Keep.Milliseconds(), "description", create.Description)
		if create.Complete.Payload != nil {
			args = append(args, "complete", create.Complete.Payload)
		}
		if create.Success.Payload != nil {
			args = append(args, "success", create.Success.Payload)
		}
	}
	err = s.with(ctx, func(c conn) (err error) {
		first, err = redis.Int64(c.script(s.scripts.batchOpen, args...))
		return err
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("opening batch %q: %w", id, err)
	case first < 0:
		return 0, ErrNoBatch
	}
	return first, nil
}

// MemberChunk is a chunk of members to add to a batch.
type MemberChunk struct {
	Number  int64 // identifies the chunk; less than the numbers that were taken
	Members int
	Within  bool // a member of the batch adds them
	Effects []Effect
}

// Added is the result of AddMembers.
type Added int

// The results of AddMembers.
const (
	AddedNow      Added = 1 // now or by an earlier call
	NotAdded      Added = -1
	AddedSealed   Added = -2
	AddedCanceled Added = -3
)

// AddMembers adds a chunk of members to a batch and runs the effects that push their
// jobs, in one step. It does nothing if the chunk was added before.
func (s *Store) AddMembers(ctx context.Context, id string, m MemberChunk) (Added, error) {
	c := &call{keys: []any{s.keys.batch(id), s.keys.batch(id, batchAdded)}, args: []any{m.Number, m.Members, m.Within}}
	c.outcome(Outcome{Effects: m.Effects})
	var reply any
	err := s.with(ctx, func(rc conn) (err error) {
		reply, err = rc.script(s.scripts.batchAdd, c.list()...)
		return err
	})
	if text, ok := reply.([]byte); ok && err == nil {
		err = redis.Error(text)
	}
	status, err := redis.Int(reply, err)
	if err != nil {
		return NotAdded, fmt.Errorf("adding %d jobs to batch %q: %w", m.Members, id, err)
	}
	return Added(status), nil
}

// PushMembers puts payloads at the end of a queue.
func (s *Store) PushMembers(queue string, payloads [][]byte) []Effect {
	args := make([]any, len(payloads))
	for i, p := range payloads {
		args[i] = p
	}
	return []Effect{
		{command: "SADD", key: s.keys.queues(), args: []any{queue}},
		{command: "RPUSH", key: s.keys.queue(queue), args: args},
	}
}

// SealBatch seals a batch, or cancels it, which also seals it. It pushes the callbacks if
// they are due. A second call changes nothing, but pushes callbacks that could not be
// pushed.
func (s *Store) SealBatch(ctx context.Context, id string, cancel bool) error {
	var seen string
	const tries = 3 // the callbacks of a batch do not change
	for range tries {
		queues := callbackQueues(seen)
		args := []any{9, s.keys.batch(id), s.keys.batch(id, batchEnded), s.keys.batch(id, batchFailed), s.keys.batch(id, batchAbandoned)}
		args = append(args, s.closingKeys(id, queues)...)
		args = append(args, cancel, seen, id, queues[0], queues[1])
		var reply any
		err := s.with(ctx, func(c conn) (err error) {
			reply, err = c.script(s.scripts.batchSeal, args...)
			return err
		})
		if err != nil {
			return fmt.Errorf("sealing batch %q: %w", id, err)
		}
		switch reply := reply.(type) {
		case int64:
			if reply == 0 {
				return ErrNoBatch
			}
			return nil
		case []any:
			if seen, err = redis.String(reply[0], nil); err != nil {
				return fmt.Errorf("sealing batch %q: %w", id, err)
			}
		case []byte:
			return fmt.Errorf("sealing batch %q: %w", id, redis.Error(reply))
		}
	}
	return fmt.Errorf("sealing batch %q: its callbacks keep changing", id)
}

// EndMembers counts the ends of members of a batch that no worker performs.
func (s *Store) EndMembers(ctx context.Context, id string, members []int64, how HowEnded) error {
	var seen string
	known := false
	for len(members) > 0 {
		some := members[:min(len(members), 500)]
		o := Outcome{}
		for _, n := range some {
			o.Expect = append(o.Expect, s.MemberEnded(id, n, how, seen, known))
		}
		var c call
		c.outcome(o)
		var reply any
		err := s.with(ctx, func(rc conn) (err error) {
			reply, err = rc.script(s.scripts.batchEnd, c.list()...)
			return err
		})
		if err == nil {
			switch reply := reply.(type) {
			case []byte:
				err = redis.Error(reply)
			case []any: // a callback is due
				for _, v := range values(reply) {
					seen = max(seen, v.Text)
				}
				known = true
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("counting %d members of batch %q: %w", len(some), id, err)
		}
		members = members[len(some):]
	}
	return nil
}

// IsCanceled reports whether a batch is canceled. It is not if it does not exist, or if
// its key has another type.
func (s *Store) IsCanceled(ctx context.Context, id string) (canceled bool, err error) {
	err = s.with(ctx, func(c conn) (err error) {
		canceled, err = redis.Bool(c.do("HEXISTS", s.keys.batch(id), "cancelled"))
		return err
	})
	if err != nil && Refused(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading batch %q: %w", id, err)
	}
	return canceled, nil
}

// BatchState is the state of a batch.
type BatchState struct {
	ID, Description   string
	Complete, Success Callback
	Fault             string

	Created, Sealed, Canceled, Completed, Succeeded time.Time // zero if not yet
	Total, Pending, Failed, Skipped, Abandoned      int64
}

// ReadBatches reads batches in one round trip. A batch that does not exist has a zero
// Created. A key of another type sets Fault.
func (s *Store) ReadBatches(ctx context.Context, ids []string) ([]BatchState, error) {
	all := make([]BatchState, len(ids))
	if len(ids) == 0 {
		return all, nil
	}
	err := s.with(ctx, func(c conn) error {
		for _, id := range ids {
			if err := c.Send("HGETALL", s.keys.batch(id)); err != nil {
				return err
			}
		}
		if err := c.Flush(); err != nil {
			return err
		}
		for i, id := range ids {
			fields, err := redis.StringMap(c.receive())
			if err != nil && !Refused(err) {
				return err
			}
			all[i] = batchState(id, fields)
			if err != nil {
				all[i].Fault = "the key of the batch has another type"
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading %d batches: %w", len(ids), err)
	}
	return all, nil
}

func batchState(id string, f map[string]string) BatchState {
	at := func(field string) time.Time {
		ms, err := strconv.ParseInt(f[field], 10, 64)
		if err != nil {
			return time.Time{}
		}
		return time.UnixMilli(ms).UTC()
	}
	queues := callbackQueues(f["callbacks"])
	b := BatchState{
		ID: id, Description: f["description"], Fault: f["fault"],
		Created: at("created"), Sealed: at("sealed"), Canceled: at("cancelled"), Completed: at("completed"), Succeeded: at("succeeded"),
		Total: count([]byte(f["total"])), Pending: count([]byte(f["pending"])), Failed: count([]byte(f["failed"])),
		Skipped: count([]byte(f["skipped"])), Abandoned: count([]byte(f["abandoned"])),
	}
	if payload, ok := f["complete"]; ok {
		b.Complete = Callback{queues[0], []byte(payload)}
	}
	if payload, ok := f["success"]; ok {
		b.Success = Callback{queues[1], []byte(payload)}
	}
	return b
}

// AnyBatch reports whether fn returns true for a batch. If there are no batches, that takes
// one round trip.
func (s *Store) AnyBatch(ctx context.Context, fn func(BatchState) bool) (bool, error) {
	const part = 500
	for first := int64(0); ; first += part {
		ids, _, err := s.BatchIDs(ctx, first, part)
		if err != nil || len(ids) == 0 {
			return false, err
		}
		states, err := s.ReadBatches(ctx, ids)
		if err != nil || slices.ContainsFunc(states, fn) {
			return err == nil, err
		}
	}
}

// BatchIDs returns the ids of batches, and how many there are: first those that are not
// complete, the latest first, then the others, the one that was completed last first.
func (s *Store) BatchIDs(ctx context.Context, first, limit int64) (ids []string, total int64, err error) {
	// Those that have expired are removed when the next batch is created. The hashes of the
	// others that are left out here are gone, whatever this host's clock says.
	from := strconv.FormatInt(time.Now().Add(-24*time.Hour).UnixMilli(), 10)
	err = s.with(ctx, func(c conn) error {
		if err := errors.Join(
			c.Send("ZCOUNT", s.keys.batches(), from, "+inf"),
			c.Send("ZREVRANGEBYSCORE", s.keys.batches(), "+inf", from, "LIMIT", first, limit),
			c.Flush(),
		); err != nil {
			return err
		}
		var errs [2]error
		total, errs[0] = redis.Int64(c.receive())
		ids, errs[1] = redis.Strings(c.receive())
		return errors.Join(errs[:]...)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("listing the batches: %w", err)
	}
	return ids, total, nil
}
