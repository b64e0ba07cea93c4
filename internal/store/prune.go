package store

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/wire"
)

var (
	//go:embed prune.lua
	pruneLua string
	//go:embed release.lua
	releaseLua string
)

// Heartbeats returns the text of each worker's last heartbeat by worker id, and the time
// on Redis's clock.
//
// Ruby: Resque::DataStore::WorkerAccess#all_heartbeats.
func (s *Store) Heartbeats(ctx context.Context) (beats map[string]string, now time.Time, err error) {
	err = s.with(ctx, func(c conn) (err error) {
		beats, err = redis.StringMap(c.do("HGETALL", s.keys.heartbeats()))
		return err
	})
	if err == nil {
		now, err = s.Now(ctx)
	}
	if err != nil {
		return nil, now, fmt.Errorf("reading the heartbeats: %w", err)
	}
	return beats, now, nil
}

// Record is a worker's record: the job that it is performing.
type Record struct {
	Worker  string
	Queue   string
	Payload []byte // the bytes in the record, which Ruby can read
	Raw     []byte // the bytes that were in the queue
	Text    []byte // the whole record; empty if there is none
	RunAt   string // the text of run_at; empty if it is missing or the record is damaged
	Damage  error  // why the record cannot be parsed

	// Size is the length of Raw. If it is larger, only the beginning of the record was
	// read, and Raw is the beginning of the payload.
	Size int64
}

// Guard returns the beginning of the record, which is unique for each reserve.
func (r Record) Guard() []byte {
	guard, _, _ := bytes.Cut(r.Text, []byte(wire.PayloadMember))
	return guard
}

// Record returns the record of a worker. If the record cannot be parsed, its whole text
// is returned as an unreadable payload without a queue, so that the job can be failed.
//
// Ruby: Resque::DataStore::WorkerAccess#get_worker_payload.
func (s *Store) Record(ctx context.Context, worker string) (Record, error) {
	var text []byte
	err := s.with(ctx, func(c conn) (err error) {
		text, err = redis.Bytes(c.do("GET", s.keys.worker(worker)))
		if errors.Is(err, redis.ErrNil) {
			err = nil
		}
		return err
	})
	if err != nil {
		return Record{Worker: worker}, fmt.Errorf("reading the record of worker %q: %w", worker, err)
	}
	return readRecord(worker, text), nil
}

func readRecord(worker string, text []byte) Record {
	r := Record{Worker: worker, Text: text}
	if len(text) == 0 {
		return r
	}
	parsed, err := wire.ParseRecord(text)
	if err != nil {
		r.Raw, r.Payload, r.Damage = text, wire.UnreadablePayload(text), err
		r.Size = int64(len(text))
		return r
	}
	r.Queue, r.Payload, r.Raw, r.RunAt = parsed.Queue, parsed.Stored, parsed.Payload, parsed.RunAt
	r.Size = int64(len(r.Raw))
	return r
}

// readRecordEntry is like readRecord for a record of which perhaps only the beginning was
// read.
func readRecordEntry(worker string, e Entry) Record {
	if e.IsWhole() {
		return readRecord(worker, e.Raw)
	}
	r := Record{Worker: worker, Text: e.Raw}
	parsed, at := wire.ParseRecordBeginning(e.Raw)
	r.Queue, r.RunAt, r.Raw = parsed.Queue, parsed.RunAt, parsed.Payload
	r.Size = e.Size - int64(at) - 1 // without the closing brace
	return r
}

// Pruned is the result of an attempt to prune a worker.
type Pruned int

// The results of Prune.
const (
	NotPruned     Pruned = iota // the worker is alive, or another process has pruned it
	PrunedNow                   // the worker is pruned
	RecordChanged               // the record has changed and must be read again
	ValueChanged                // an expectation is not met
)

// PruneReply is what else Prune returns.
type PruneReply struct {
	Values   []Value  // of the expectations, after ValueChanged
	Unparked []string // names of limits by key which have a place for a job that waits; see Unpark
}

// Prune removes a dead worker in one step: it removes all its keys and runs the effects
// of o for the job in its record. It does nothing if the heartbeat is no longer beat, the
// text that the caller has read, if the record is no longer r, or if an expectation of o
// is not met.
//
// Ruby: Resque::Worker#unregister_worker, which takes several steps.
func (s *Store) Prune(ctx context.Context, r Record, beat string, o Outcome) (Pruned, PruneReply, error) {
	id := r.Worker
	var c call
	c.keys = append(c.keys, s.keys.workers(), s.keys.heartbeats(), s.keys.intervals(), s.keys.worker(id), s.keys.started(id),
		s.keys.stat("processed:"+id), s.keys.stat("failed:"+id),
		s.keys.held(queueLimit(r.Queue)))
	c.args = append(c.args, id, beat)
	if len(r.Text) == 0 {
		o = Outcome{}
	}
	o.Guard = r.Text
	c.outcome(o)
	var reply any
	err := s.with(ctx, func(rc conn) (err error) {
		reply, err = rc.script(s.scripts.prune, c.list()...)
		return err
	})
	if list, ok := reply.([]any); ok && err == nil {
		return s.readPrune(list)
	}
	if text, ok := reply.([]byte); ok && err == nil {
		err = redis.Error(text)
	}
	status, err := redis.Int(reply, err)
	switch {
	case err != nil:
		return NotPruned, PruneReply{}, fmt.Errorf("pruning worker %q: %w", id, err)
	case status < 0:
		return RecordChanged, PruneReply{}, nil
	case status == 0:
		return NotPruned, PruneReply{}, nil
	}
	return PrunedNow, PruneReply{}, nil
}

// readPrune reads a reply of prune.lua that has more than a status.
func (s *Store) readPrune(list []any) (Pruned, PruneReply, error) {
	if status, ok := list[0].(int64); !ok || status != 1 { // the value of a key is a text or 0
		return ValueChanged, PruneReply{Values: values(list)}, nil
	}
	lists, err := redis.Strings(list[1], nil)
	if err != nil {
		return PrunedNow, PruneReply{}, fmt.Errorf("reading the reply of prune.lua: %w", err)
	}
	for i, list := range lists {
		lists[i] = strings.TrimPrefix(list, s.keys.parked(""))
	}
	return PrunedNow, PruneReply{Unparked: lists}, nil
}

// LockPruning takes the lock that Ruby's workers hold while they prune, for at most
// expiry. ok is false if another process holds it. The caller should release it with
// UnlockPruning: a Ruby worker that boots while the lock is held prunes nothing.
//
// Ruby: Resque::DataStore::WorkerAccess#acquire_pruning_dead_worker_lock.
func (s *Store) LockPruning(ctx context.Context, token string, expiry time.Duration) (ok bool, err error) {
	err = s.with(ctx, func(c conn) error {
		reply, err := c.do("SET", s.keys.pruningLock(), token, "PX", expiry.Milliseconds(), "NX")
		ok = reply != nil
		return err
	})
	if err != nil {
		return false, fmt.Errorf("taking the pruning lock: %w", err)
	}
	return ok, nil
}

// UnlockPruning releases the lock if it was taken with token.
func (s *Store) UnlockPruning(ctx context.Context, token string) error {
	err := s.with(ctx, func(c conn) error {
		_, err := c.script(s.scripts.release, 1, s.keys.pruningLock(), token)
		return err
	})
	if err != nil {
		return fmt.Errorf("releasing the pruning lock: %w", err)
	}
	return nil
}

// Crashes returns how many times the worker of a payload has died; see Crashed.
func (s *Store) Crashes(ctx context.Context, payload []byte) (int, error) {
	n := 0
	err := s.with(ctx, func(c conn) (err error) {
		n, err = redis.Int(c.do("GET", s.keys.crashes(payload)))
		if errors.Is(err, redis.ErrNil) {
			err = nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("reading the number of crashes: %w", err)
	}
	return n, nil
}
