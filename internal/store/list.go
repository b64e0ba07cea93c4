package store

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/gomodule/redigo/redis"
)

var (
	//go:embed list.lua
	listLua string
	//go:embed heads.lua
	headsLua string
	//go:embed values.lua
	valuesLua string
)

// Entry is an entry of a list: a payload or the record of a failure.
type Entry struct {
	Position int64
	Raw      []byte // the bytes, or their beginning if Size is larger
	Size     int64
	Digest   string // of all bytes; see Digest
}

// IsWhole reports whether Raw has all bytes of the entry.
func (e Entry) IsWhole() bool { return int64(len(e.Raw)) == e.Size }

const (
	// bytesPerCall limits the bytes that one call reads from a list. The last entry
	// may exceed it.
	bytesPerCall = 2 << 20
	// beginningBytes is how much is returned of an entry that is not returned whole.
	beginningBytes = 4 << 10
)

// listRange is what to read from a list.
type listRange struct {
	first, count int64
	backward     bool
	whole        int64 // bytes of entries to return whole; negative means all
}

// readList reads a part of a list in one call: at least one entry, unless there is
// none at the first position, and about bytesPerCall bytes. size is the length of the
// list. A range that is read backward and begins after the end begins at the end.
func (c conn) readList(s *Store, key string, r listRange) (entries []Entry, size int64, err error) {
	step := int64(1)
	if r.backward {
		step = -1
	}
	replies, err := redis.Values(c.script(s.scripts.list, 1, key, r.first, r.count, step, bytesPerCall, r.whole, beginningBytes))
	if err != nil {
		return nil, 0, err
	}
	var at int64
	if replies, err = redis.Scan(replies, &size, &at); err != nil {
		return nil, 0, err
	}
	entries = make([]Entry, len(replies))
	for i, reply := range replies {
		if entries[i], err = readEntry(reply); err != nil {
			return nil, 0, err
		}
		entries[i].Position = at + step*int64(i)
	}
	return entries, size, nil
}

// readEntry reads an entry of a script's reply. An entry that does not exist is empty.
func readEntry(reply any) (e Entry, err error) {
	if raw, ok := reply.([]byte); ok || reply == nil {
		return Entry{Raw: raw, Size: int64(len(raw))}, nil
	}
	parts, err := redis.Values(reply, nil)
	if err == nil {
		_, err = redis.Scan(parts, &e.Raw, &e.Size, &e.Digest)
	}
	return e, err
}

// entries reads the entries of a range in as many calls as their bytes need.
func (s *Store) entries(ctx context.Context, key string, r listRange) (all []Entry, size int64, err error) {
	err = s.with(ctx, func(c conn) error {
		for {
			part, n, err := c.readList(s, key, r)
			if err != nil {
				return err
			}
			size = n
			all = append(all, part...)
			r.count -= int64(len(part))
			r.first = r.after(part)
			r.spend(part)
			if len(part) == 0 || r.count <= 0 || r.first < 0 || r.first >= size {
				return nil
			}
		}
	})
	return all, size, err
}

// after returns the position after the entries of a part.
func (r listRange) after(part []Entry) int64 {
	switch {
	case len(part) == 0:
		return r.first
	case r.backward:
		return part[len(part)-1].Position - 1
	}
	return part[len(part)-1].Position + 1
}

// spend takes the entries that were returned whole from the bytes that are left.
func (r *listRange) spend(part []Entry) {
	if r.whole < 0 {
		return
	}
	for _, e := range part {
		if e.IsWhole() {
			r.whole = max(r.whole-e.Size, 0)
		}
	}
}

// wholeBytes is how many bytes of worker records and payloads are read whole when
// those of many workers and queues are read. Of the others the beginning is read.
const wholeBytes = 4 << 20

// valuesOf returns the command that reads strings; readValues reads its reply. It may
// be sent together with other commands.
func valuesOf(keys []any) []any {
	command := append([]any{"EVAL", valuesLua, len(keys)}, keys...)
	return append(command, wholeBytes, beginningBytes)
}

// readValues returns n entries of a reply. One that does not exist is empty.
func readValues(n int, reply any, err error) ([]Entry, error) {
	if refusal, ok := reply.(redis.Error); ok {
		return nil, refusal
	}
	replies, err := redis.Values(reply, err)
	if err == nil && len(replies) != n {
		err = fmt.Errorf("the script returned %d values for %d keys", len(replies), n)
	}
	if err != nil {
		return nil, err
	}
	values := make([]Entry, n)
	for i, reply := range replies {
		if values[i], err = readEntry(reply); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// some reads a part of a list in one call.
func (s *Store) some(ctx context.Context, key string, r listRange) (part []Entry, size int64, err error) {
	err = s.with(ctx, func(c conn) (err error) {
		part, size, err = c.readList(s, key, r)
		return err
	})
	return part, size, err
}

// withDigests sets the digests of entries that were returned whole.
func withDigests(entries []Entry) []Entry {
	for i, e := range entries {
		if e.IsWhole() {
			entries[i].Digest = Digest(e.Raw)
		}
	}
	return entries
}

// QueuePart reads up to count payloads of a queue from a position on, and the size of
// the queue, in one call. It returns fewer if they are large, but at least one unless
// the queue ends before.
//
// Ruby: Resque::DataStore::QueueAccess#peek_in_queue.
func (s *Store) QueuePart(ctx context.Context, queue string, first, count int64) (part []Entry, size int64, err error) {
	part, size, err = s.some(ctx, s.keys.queue(queue), listRange{first: first, count: count, whole: -1})
	if err != nil {
		return nil, 0, fmt.Errorf("reading queue %q: %w", queue, err)
	}
	return part, size, nil
}

// QueuePartBefore is like QueuePart, but reads the payloads in front of position end, the
// last one first. It begins at the end of the queue if the position is behind it.
func (s *Store) QueuePartBefore(ctx context.Context, queue string, end, count int64) (part []Entry, err error) {
	part, _, err = s.some(ctx, s.keys.queue(queue), listRange{first: end - 1, count: count, backward: true, whole: -1})
	if err != nil {
		return nil, fmt.Errorf("reading queue %q: %w", queue, err)
	}
	return part, nil
}

// QueuePreview reads up to count payloads of a queue from a position on, and the size
// of the queue. When it has read whole bytes, it reads only the beginning of the others.
func (s *Store) QueuePreview(ctx context.Context, queue string, first, count, whole int64) ([]Entry, int64, error) {
	entries, size, err := s.entries(ctx, s.keys.queue(queue), listRange{first: first, count: count, whole: whole})
	if err != nil {
		return nil, 0, fmt.Errorf("reading queue %q: %w", queue, err)
	}
	return withDigests(entries), size, nil
}

// FailedPart reads up to count records of a list from a position on, in one call. With
// backward, the positions decrease; it then begins at the end of the list if the
// position is behind it. It returns fewer if the records are large, but at least one
// unless the list ends before.
//
// Ruby: Resque::DataStore#list_range.
func (s *Store) FailedPart(ctx context.Context, list string, first, count int64, backward bool) ([]Entry, error) {
	part, _, err := s.some(ctx, s.keys.failed(list), listRange{first: first, count: count, backward: backward, whole: -1})
	if err != nil {
		return nil, fmt.Errorf("reading the failures of %q: %w", list, err)
	}
	return part, nil
}

// FailedPreview reads up to count records of a list from a position on. When it has
// read whole bytes, it reads only the beginning of the others.
func (s *Store) FailedPreview(ctx context.Context, list string, first, count, whole int64) ([]Entry, error) {
	entries, _, err := s.entries(ctx, s.keys.failed(list), listRange{first: first, count: count, whole: whole})
	if err != nil {
		return nil, fmt.Errorf("reading the failures of %q: %w", list, err)
	}
	return withDigests(entries), nil
}
