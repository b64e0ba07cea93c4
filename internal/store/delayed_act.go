package store

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gomodule/redigo/redis"
)

var (
	//go:embed delayed_act.lua
	delayedActLua string
	//go:embed delayed_restore.lua
	delayedRestoreLua string
	//go:embed delayed_locate.lua
	delayedLocateLua string
	//go:embed delayed_index.lua
	delayedIndexLua string
)

// DelayedAct removes one delayed job. It is done only if the payload is still at its
// position among the jobs of its second.
type DelayedAct struct {
	Delayed  // Queue is the queue to which the job is pushed; empty means none
	Position int64

	// Forget are the keys of the job's attempts that are removed; empty means none.
	Forget RetryKeys
	// Failure is the record of a failure that is pushed to FailedList, a list of
	// failures, in place of the job; nil means none.
	Failure    []byte
	FailedList string
}

// ActOnDelayed runs acts in one step. They must be in the order of their seconds and
// positions, without duplicates. all means that every copy of a payload in a second is
// removed by this call or later ones: then long lists are not searched for copies.
// The trash keeps jobs that are not pushed.
//
// Ruby: Resque::Scheduler::DelayingExtensions#remove_delayed_job_from_timestamp, which
// removes all copies.
func (s *Store) ActOnDelayed(ctx context.Context, acts []DelayedAct, all bool, trash Trash) ([]FailedActed, error) {
	if len(acts) == 0 {
		return nil, nil
	}
	c := &call{
		keys: []any{s.keys.delayedSchedule(), s.keys.queues(), s.keys.trash(trash.Token), s.keys.failedQueues()},
		args: []any{newMark(), trash.Keep.Milliseconds(), len(s.keys.timestamps("")), all},
	}
	for _, a := range acts {
		list := s.keys.delayed(a.Due)
		to := list
		if a.Queue != "" {
			to = s.keys.queue(a.Queue)
		}
		failures, ofQueue := list, ""
		if a.Failure != nil {
			failures = s.keys.failed(a.FailedList)
		}
		if a.FailedList != Failed {
			ofQueue = a.FailedList
		}
		c.keys = append(c.keys, list, s.keys.timestamps(string(a.Payload)), to, failures,
			cmp.Or(a.Forget.Attempts, list), cmp.Or(a.Forget.Failure, list))
		c.args = append(c.args, a.Due, delayedList(a.Due), a.Position, a.Queue, a.CutFrom+1, a.CutTo, a.Failure, ofQueue)
	}
	acted, err := s.acted(ctx, s.scripts.delayedAct, c)
	if err != nil {
		return nil, fmt.Errorf("acting on %d delayed jobs: %w", len(acts), err)
	}
	return acted, nil
}

// DelayedTrash is what stands in the place of a list's name in the token of a trash of
// delayed jobs.
const DelayedTrash = "delayed"

// errTrashChanged is returned if another process restores the same trash.
var errTrashChanged = errors.New("another process changed the trash")

// RestoreDelayed moves at most limit delayed jobs from the trash back to their seconds
// and returns how many it moved.
func (s *Store) RestoreDelayed(ctx context.Context, token string, limit int) (int64, error) {
	var n int64
	err := s.with(ctx, func(c conn) error {
		entries, err := redis.ByteSlices(c.do("LRANGE", s.keys.trash(token), 0, limit-1))
		if err != nil || len(entries) == 0 {
			return err
		}
		call := &call{
			keys: []any{s.keys.trash(token), s.keys.delayedSchedule()},
			args: []any{len(s.keys.timestamps(""))},
		}
		for _, entry := range entries {
			text, payload, _ := strings.Cut(string(entry), " ")
			second, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return fmt.Errorf("the trash %q has an entry without a time: %w", token, err)
			}
			call.keys = append(call.keys, s.keys.delayed(second), s.keys.timestamps(payload))
			call.args = append(call.args, second, delayedList(second))
		}
		n, err = redis.Int64(c.script(s.scripts.delayedRestore, call.list()...))
		if err == nil && n < int64(len(entries)) {
			err = errTrashChanged
		}
		return err
	})
	if err != nil {
		return n, fmt.Errorf("restoring delayed jobs: %w", err)
	}
	return n, nil
}

// IndexDelayed removes those of the seconds that have no jobs from the sorted set, and
// adds those that have jobs to it. It returns how many it removed and added.
//
// Ruby: DelayingExtensions#clean_up_timestamp, which only removes.
func (s *Store) IndexDelayed(ctx context.Context, seconds []int64) (removed, added int64, err error) {
	if len(seconds) == 0 {
		return 0, 0, nil
	}
	call := &call{keys: []any{s.keys.delayedSchedule()}}
	for _, second := range seconds {
		call.keys = append(call.keys, s.keys.delayed(second))
		call.args = append(call.args, second)
	}
	err = s.with(ctx, func(c conn) error {
		reply, err := redis.Values(c.script(s.scripts.delayedIndex, call.list()...))
		if err == nil {
			_, err = redis.Scan(reply, &removed, &added)
		}
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("repairing the seconds that have delayed jobs: %w", err)
	}
	return removed, added, nil
}

// LocateDelayed adds the list of a second to the sets with which its payloads, from position
// first on, are found. It returns how many sets did not have it. If dry is true, it changes
// nothing.
func (s *Store) LocateDelayed(ctx context.Context, second, first int64, payloads [][]byte, dry bool) (missing int64, err error) {
	c := call{keys: []any{s.keys.delayed(second)}, args: []any{first, len(s.keys.timestamps("")), delayedList(second), dry}}
	for _, payload := range payloads {
		c.keys = append(c.keys, s.keys.timestamps(string(payload)))
	}
	err = s.with(ctx, func(rc conn) (err error) {
		missing, err = redis.Int64(rc.script(s.scripts.delayedLocate, c.list()...))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("repairing the index of delayed jobs: %w", err)
	}
	return missing, nil
}

// ScanDelayed returns the seconds of a part of the lists of delayed jobs, and the cursor
// of the next part. The cursor "0" is both the start and the end.
func (s *Store) ScanDelayed(ctx context.Context, cursor string) (seconds []int64, next string, err error) {
	keys, next, err := s.scan(ctx, cursor, delayedPrefix)
	if err != nil {
		return nil, "", fmt.Errorf("listing the delayed jobs: %w", err)
	}
	for _, key := range keys {
		if second, ok := secondOf(key); ok {
			seconds = append(seconds, second)
		}
	}
	return seconds, next, nil
}
