package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
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

// Heartbeats are when workers were last heard, as their fields say, and what
// Redis's clock says now.
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

// Record is what stands in a worker's record.
type Record struct {
	Worker  string
	Queue   string
	Payload []byte // as it is in the record, readable for Ruby
	Raw     []byte // as it was in the queue
	Text    []byte // the whole record; empty when there is none
	RunAt   string // as text; empty if there is none, or the record is damaged
	Damage  error  // why the record cannot be read
}

// Record reads what a worker is doing. A record that cannot be read is returned
// as an unreadable payload of no queue, so that it can be failed all the same.
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
		return r
	}
	r.Queue, r.Payload, r.Raw, r.RunAt = parsed.Queue, parsed.Stored, parsed.Payload, parsed.RunAt
	return r
}

// Pruned says what came of an attempt to prune.
type Pruned int

// What can come of an attempt to prune.
const (
	NotPruned Pruned = iota // it lives, or somebody else was first
	PrunedNow
	RecordChanged // look at its record again
)

// Prune ends a dead worker in one step: it removes every trace of it and runs
// effects for the job in its record, unless the worker was heard since beat, its
// heartbeat's text as the caller saw it, or the record is not r any more.
//
// Ruby: Resque::Worker#unregister_worker, whose steps are separate there.
func (s *Store) Prune(ctx context.Context, r Record, beat string, effects []Effect) (Pruned, error) {
	id := r.Worker
	var c call
	c.keys = append(c.keys, s.keys.workers(), s.keys.heartbeats(), s.keys.worker(id), s.keys.started(id),
		s.keys.stat("processed:"+id), s.keys.stat("failed:"+id))
	c.args = append(c.args, id, beat)
	if len(r.Text) == 0 {
		effects = nil
	}
	c.outcome(Outcome{Guard: r.Text, Effects: effects})
	status := 0
	err := s.with(ctx, func(rc conn) error {
		reply, err := rc.script(s.scripts.prune, c.list()...)
		if text, ok := reply.([]byte); ok && err == nil {
			return redis.Error(text)
		}
		status, err = redis.Int(reply, err)
		return err
	})
	switch {
	case err != nil:
		return NotPruned, fmt.Errorf("pruning worker %q: %w", id, err)
	case status < 0:
		return RecordChanged, nil
	case status == 0:
		return NotPruned, nil
	}
	return PrunedNow, nil
}

// LockPruning takes the lock that Ruby's workers prune under, for at most expiry;
// ok is false when somebody has it. UnlockPruning gives it back: Ruby keeps it
// for a minute, and a Ruby worker that boots meanwhile prunes nothing.
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

// UnlockPruning gives the lock back if it is still the one taken with token.
func (s *Store) UnlockPruning(ctx context.Context, token string) error {
	err := s.with(ctx, func(c conn) error {
		_, err := c.script(s.scripts.release, 1, s.keys.pruningLock(), token)
		return err
	})
	if err != nil {
		return fmt.Errorf("giving the pruning lock back: %w", err)
	}
	return nil
}

// Crashes is how often a payload's worker has died of late.
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
		return 0, fmt.Errorf("counting crashes: %w", err)
	}
	return n, nil
}
