package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"
)

//go:embed status_set.lua
var statusSetLua string

// Status is the status of one job. Methods that change it merge members: names and their
// values as JSON.
type Status struct {
	UUID   string
	Expiry time.Duration // 0 means never
	New    []byte        // the status if there is none
}

// CreateStatus returns what is written when a job with a status is pushed.
//
// Ruby: Resque::Plugins::Status::Hash.create.
func (s *Store) CreateStatus(st Status, created time.Time) []Effect {
	value := []any{st.New}
	if st.Expiry > 0 {
		value = append(value, "PX", st.Expiry.Milliseconds())
	}
	effects := []Effect{
		{command: "SET", key: s.keys.status(st.UUID), args: value},
		{command: "ZADD", key: s.keys.statuses(), args: []any{created.Unix(), st.UUID}},
	}
	if st.Expiry > 0 {
		old := created.Add(-st.Expiry).Unix()
		effects = append(effects, Effect{command: "ZREMRANGEBYSCORE", key: s.keys.statuses(), args: []any{0, old}})
	}
	return effects
}

// BeginStatus merges members when a job is admitted. The need is refused if the job is to
// be killed.
func (s *Store) BeginStatus(st Status, members ...any) Need {
	args := append([]any{st.UUID, st.Expiry.Milliseconds(), st.New}, members...)
	return Need{name: "STATUS", keys: []any{s.keys.status(st.UUID), s.keys.kill()}, args: args}
}

// ListStatus adds a status to the list of all when a job is admitted that was pushed without
// one.
func (s *Store) ListStatus(st Status, created time.Time) Need {
	oldest := ""
	if st.Expiry > 0 {
		oldest = strconv.FormatInt(created.Add(-st.Expiry).Unix(), 10)
	}
	return Need{name: "RANK", keys: []any{s.keys.statuses()}, args: []any{created.Unix(), st.UUID, oldest}}
}

// ForgetStatus removes the status of a job that goes back to its queue.
func (s *Store) ForgetStatus(st Status) []Effect {
	return []Effect{
		{command: "DEL", key: s.keys.status(st.UUID)},
		{command: "ZREM", key: s.keys.statuses(), args: []any{st.UUID}},
		{command: "SREM", key: s.keys.kill(), args: []any{st.UUID}},
	}
}

// EndMode is how a status changes at the end of a job.
type EndMode string

// The modes of EndStatus.
const (
	EndAny   EndMode = "any"
	EndOpen  EndMode = "open"  // a status that already says that the job has ended is not changed
	EndAgain EndMode = "again" // the same, and the job stays among the jobs to kill, because it is performed again
)

// EndStatus merges members when a job ends, and removes it from the jobs to kill.
func (s *Store) EndStatus(st Status, mode EndMode, members ...any) Effect {
	args := append([]any{st.UUID, string(mode), st.Expiry.Milliseconds(), st.New}, members...)
	return named("STATUS", []any{s.keys.status(st.UUID), s.keys.kill()}, args...)
}

// SetStatus merges members while a job is performed. killed reports whether the job is to
// be killed.
func (s *Store) SetStatus(ctx context.Context, st Status, members ...any) (killed bool, err error) {
	args := []any{2, s.keys.status(st.UUID), s.keys.kill(), st.UUID, st.Expiry.Milliseconds(), st.New}
	err = s.with(ctx, func(c conn) (err error) {
		killed, err = redis.Bool(c.script(s.scripts.status, append(args, members...)...))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("writing the status %s: %w", st.UUID, err)
	}
	return killed, nil
}

// ReadStatuses reads statuses. One that does not exist is nil.
func (s *Store) ReadStatuses(ctx context.Context, uuids ...string) (texts [][]byte, err error) {
	if len(uuids) == 0 {
		return nil, nil
	}
	keys := make([]any, len(uuids))
	for i, uuid := range uuids {
		keys[i] = s.keys.status(uuid)
	}
	err = s.with(ctx, func(c conn) (err error) {
		texts, err = redis.ByteSlices(c.do("MGET", keys...))
		return err
	})
	if err == nil && len(texts) != len(uuids) {
		err = errors.New("MGET returned another number of values")
	}
	if err != nil {
		return nil, fmt.Errorf("reading %d statuses: %w", len(uuids), err)
	}
	return texts, nil
}

// StatusIDs returns the ids of the newest statuses, the newest first, from the position
// first on, and how many there are in all.
//
// Ruby: Resque::Plugins::Status::Hash.status_ids.
func (s *Store) StatusIDs(ctx context.Context, first, count int64) (uuids []string, all int64, err error) {
	err = s.with(ctx, func(c conn) error {
		if err := errors.Join(
			c.Send("ZCARD", s.keys.statuses()),
			c.Send("ZREVRANGE", s.keys.statuses(), first, first+count-1),
			c.Flush(),
		); err != nil {
			return err
		}
		var wrong error
		all, wrong = redis.Int64(c.receive())
		uuids, err = redis.Strings(c.receive())
		return errors.Join(wrong, err)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("listing the statuses: %w", err)
	}
	return uuids, all, nil
}

// KillStatuses notes that jobs are to be killed.
//
// Ruby: Resque::Plugins::Status::Hash.kill.
func (s *Store) KillStatuses(ctx context.Context, uuids ...string) error {
	err := s.with(ctx, func(c conn) error {
		_, err := c.do("SADD", redis.Args{s.keys.kill()}.AddFlat(uuids)...)
		return err
	})
	if err != nil {
		return fmt.Errorf("killing %d jobs: %w", len(uuids), err)
	}
	return nil
}

// RemoveStatuses removes statuses and returns how many there were.
//
// Ruby: Resque::Plugins::Status::Hash.remove.
func (s *Store) RemoveStatuses(ctx context.Context, uuids ...string) (removed int64, err error) {
	if len(uuids) == 0 {
		return 0, nil
	}
	keys := make([]any, len(uuids))
	for i, uuid := range uuids {
		keys[i] = s.keys.status(uuid)
	}
	err = s.with(ctx, func(c conn) error {
		if err := errors.Join(
			c.Send("DEL", keys...),
			c.Send("ZREM", redis.Args{s.keys.statuses()}.AddFlat(uuids)...),
			c.Flush(),
		); err != nil {
			return err
		}
		_, wrong := c.receive()
		removed, err = redis.Int64(c.receive())
		return errors.Join(wrong, err)
	})
	if err != nil {
		return 0, fmt.Errorf("removing %d statuses: %w", len(uuids), err)
	}
	return removed, nil
}
