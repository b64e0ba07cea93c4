package store

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"

	"github.com/gomodule/redigo/redis"
)

var (
	//go:embed failed.lua
	failedLua string
	//go:embed failed_clear.lua
	failedClearLua string
	//go:embed failed_retried.lua
	failedRetriedLua string
	//go:embed failed_restore.lua
	failedRestoreLua string
)

// FailedAct is an act on one failure. It is done only if the record is still at its
// position.
type FailedAct struct {
	Position int64
	Digest   string // of the record; see Digest

	// Queue is the queue to which the job is pushed; empty means none. The payload
	// is Payload or, if that is nil, the bytes of the record from From to To.
	Queue    string
	Payload  []byte
	From, To int

	// Remove removes the record. Otherwise Insert replaces the bytes of the record
	// from CutFrom to CutTo.
	Remove         bool
	CutFrom, CutTo int
	Insert         []byte
}

// FailedActed is the result of a FailedAct.
type FailedActed struct {
	Done bool  // if false without an Err, another record or none is at the position
	Err  error // why Redis refused the act, which is then not done
}

// ActOnFailed runs acts on a list in one step. They must be in the order of their
// positions, without duplicates. near means that the records of the list are small:
// then all records between the positions may be read at once.
//
// Ruby: Resque::Failure::Redis.requeue and remove, which take several steps.
func (s *Store) ActOnFailed(ctx context.Context, list string, acts []FailedAct, near bool, trash Trash) ([]FailedActed, error) {
	if len(acts) == 0 {
		return nil, nil
	}
	acted, err := s.acted(ctx, s.scripts.failed, s.failedCall(s.keys.failed(list), acts, near, trash))
	if err != nil {
		return nil, fmt.Errorf("acting on %d failures of %q: %w", len(acts), list, err)
	}
	return acted, nil
}

// acted runs a script that returns a status for each act.
func (s *Store) acted(ctx context.Context, script *script, call *call) ([]FailedActed, error) {
	var statuses []any
	err := s.with(ctx, func(c conn) (err error) {
		statuses, err = redis.Values(c.script(script, call.list()...))
		return err
	})
	if err != nil {
		return nil, err
	}
	acted := make([]FailedActed, len(statuses))
	for i, status := range statuses {
		if text, ok := status.([]byte); ok {
			acted[i].Err = redis.Error(text)
		}
		acted[i].Done = status == int64(1)
	}
	return acted, nil
}

func (s *Store) failedCall(list string, acts []FailedAct, near bool, trash Trash) *call {
	inOneRun := acts[len(acts)-1].Position-acts[0].Position == int64(len(acts)-1)
	c := &call{keys: []any{list, s.keys.queues(), s.keys.trash(trash.Token)}}
	c.args = append(c.args, newMark(), trash.Keep.Milliseconds(), near || inOneRun, len(acts))
	for _, a := range acts {
		to := list
		if a.Queue != "" {
			to = s.keys.queue(a.Queue)
		}
		c.keys = append(c.keys, to)
		c.args = append(c.args, a.Position, a.Digest, a.Queue, a.Payload, a.From+1, a.To)
		if a.Remove {
			c.args = append(c.args, -1, 0, "")
		} else {
			c.args = append(c.args, a.CutFrom, a.CutTo+1, a.Insert)
		}
	}
	return c
}

// ClearFailed removes all failures of a list and returns their number.
//
// Ruby: Resque::DataStore::FailedQueueAccess#clear_failed_queue.
func (s *Store) ClearFailed(ctx context.Context, list string, trash Trash) (int64, error) {
	var n int64
	err := s.with(ctx, func(c conn) (err error) {
		n, err = redis.Int64(c.script(s.scripts.failedClear, 2,
			s.keys.failed(list), s.keys.trash(trash.Token), trash.Keep.Milliseconds()))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("clearing the failures of %q: %w", list, err)
	}
	return n, nil
}

// RemoveRetried looks at up to looks failures of a list, from a position on, and
// removes at most limit of those whose last member is retried_at. It returns how many
// it removed, and how many it looked at and left. Both are 0 at the end of the list.
//
// Ruby: Resque::Failure.clear_retried.
func (s *Store) RemoveRetried(ctx context.Context, list string, from int64, looks, limit int, trash Trash) (removed, left int64, err error) {
	err = s.with(ctx, func(c conn) error {
		counts, err := redis.Int64s(c.script(s.scripts.failedRetried, 2,
			s.keys.failed(list), s.keys.trash(trash.Token), newMark(), trash.Keep.Milliseconds(), from, looks, limit, bytesPerCall))
		if err == nil && len(counts) != 2 {
			err = fmt.Errorf("the script returned %d values", len(counts))
		}
		if err == nil {
			removed, left = counts[0], counts[1]
		}
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("removing retried failures of %q: %w", list, err)
	}
	return removed, left, nil
}

// newMark returns a text that is not a record. Scripts overwrite the entries that
// they are about to remove with it.
func newMark() string { return "goresque:removed:" + rand.Text() }

// RestoreFailed moves at most limit failures from the trash to the front of their
// list. It returns how many it moved, and how many are left in the trash.
func (s *Store) RestoreFailed(ctx context.Context, list, token string, limit int) (moved, left int64, err error) {
	name := list
	if list == Failed {
		name = ""
	}
	moved, left, err = s.restore(ctx, s.keys.failed(list), token, s.keys.failedQueues(), limit, name)
	if err != nil {
		return 0, 0, fmt.Errorf("restoring failures of %q: %w", list, err)
	}
	return moved, left, nil
}

func (s *Store) restore(ctx context.Context, list, token, names string, limit int, name string) (moved, left int64, err error) {
	err = s.with(ctx, func(c conn) error {
		counts, err := redis.Int64s(c.script(s.scripts.failedRestore, 3, list, s.keys.trash(token), names, limit, name, bytesPerCall))
		if err == nil && len(counts) != 2 {
			err = fmt.Errorf("the script returned %d values", len(counts))
		}
		if err == nil {
			moved, left = counts[0], counts[1]
		}
		return err
	})
	return moved, left, err
}
