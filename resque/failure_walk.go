package resque

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// order is the order in which a list is read.
type order int

const (
	newestFirst order = iota
	oldestFirst
)

// located is a record with its position in the list.
type located struct {
	failureRecord
	position int64
}

// records returns an iterator over the records of one list that match m. It reads
// them on demand.
func (f *Failures) records(ctx context.Context, list string, m matcher, o order) iter.Seq2[located, error] {
	return func(yield func(located, error) bool) {
		w, err := newWalk(ctx, f.store, list, m.FailureFilter, o)
		if err != nil {
			yield(located{}, err)
			return
		}
		for {
			part, err := w.next(ctx)
			if err != nil {
				yield(located{}, err)
				return
			}
			if len(part) == 0 {
				return
			}
			for _, at := range part {
				var ok bool
				if at.failureRecord, ok = m.match(at.raw); ok && !yield(at, nil) {
					return
				}
			}
		}
	}
}

// walk reads a list in parts, from one end to the end that the other side had when it
// began. New failures are appended and do not affect it. If failures in front are
// removed during the walk, the ones behind move forward. With the newest first, the
// walk may then read some twice. With the oldest first, it searches for the last
// record that it read and continues behind it; in doubt it reads a record twice
// rather than not at all.
type walk struct {
	store *store.Store
	list  string
	order order
	at    int64 // start of the next part; its end if the newest come first
	left  int64 // records still to be read
	size  int64 // size of the next part

	last [][]byte // the latest records read, with the changes made to them since
}

// The first part is small because many callers need only a few records. Later parts
// grow up to a limit of records and of memory.
const (
	firstPart = 50
	maxPart   = 1000
	partBytes = 2 << 20
)

func newWalk(ctx context.Context, s *store.Store, list string, bounds FailureFilter, o order) (*walk, error) {
	end, err := s.CountFailed(ctx, list)
	if err != nil {
		return nil, err
	}
	if bounds.Below > 0 {
		end = min(end, bounds.Below)
	}
	first := min(max(0, bounds.From), end)
	w := &walk{store: s, list: list, order: o, at: first, left: end - first, size: firstPart}
	if o == newestFirst {
		w.at = end
	}
	return w, nil
}

// next reads the next part, in the walk's order. An empty part is the end.
func (w *walk) next(ctx context.Context) ([]located, error) {
	n := min(w.size, w.left)
	if n == 0 {
		return nil, nil
	}
	var part []located
	var err error
	if w.order == newestFirst {
		w.at -= n
		part, err = w.read(ctx, w.at, n)
		slices.Reverse(part)
	} else {
		part, err = w.onwards(ctx, n)
		w.at += int64(len(part))
	}
	w.left -= n
	w.grow(part)
	return part, err
}

func (w *walk) read(ctx context.Context, first, n int64) ([]located, error) {
	records, err := w.store.FailedRecords(ctx, w.list, first, first+n-1)
	if err != nil {
		return nil, err
	}
	part := make([]located, len(records))
	for i, raw := range records {
		part[i] = located{failureRecord{raw: raw}, first + int64(i)}
	}
	return part, nil
}

// onwards reads the next n records behind the last one that was read.
func (w *walk) onwards(ctx context.Context, n int64) ([]located, error) {
	if w.at == 0 || len(w.last) == 0 {
		return w.read(ctx, w.at, n)
	}
	part, err := w.read(ctx, w.at-1, n+1)
	if err != nil || (len(part) > 0 && bytes.Equal(part[0].raw, w.last[len(w.last)-1])) {
		return part[min(1, len(part)):], err
	}
	from := max(0, w.at-maxPart)
	before, err := w.read(ctx, from, w.at-from)
	if err != nil {
		return nil, err
	}
	for _, b := range slices.Backward(before) {
		if slices.ContainsFunc(w.last, func(raw []byte) bool { return bytes.Equal(raw, b.raw) }) {
			w.at = b.position + 1
			return w.read(ctx, w.at, n)
		}
	}
	w.left += w.at - from // no known record was found: read them all again
	w.at = from
	return w.read(ctx, w.at, n)
}

// grow increases the size of the next part, or reduces it if the records are large,
// and remembers the records of part.
func (w *walk) grow(part []located) {
	size := int64(0)
	for _, at := range part {
		size += int64(len(at.raw))
	}
	w.size = nextPart(w.size, int64(len(part)), size)
	if w.order == oldestFirst {
		for _, at := range part {
			w.last = append(w.last, at.raw)
		}
		w.last = w.last[max(0, len(w.last)-maxPart):]
	}
}

// nextPart returns the size of the part after one of a size, which had records of so many
// bytes.
func nextPart(size, records, bytes int64) int64 {
	size = min(2*size, maxPart)
	if bytes > 0 {
		size = max(1, min(size, partBytes*records/bytes))
	}
	return size
}

// acted adjusts the walk to the changes made to records of the last part.
func (w *walk) acted(done []planned) {
	if len(done) == 0 {
		return
	}
	changed := make(map[string][]byte, len(done))
	for _, p := range done {
		changed[string(p.raw)] = p.after
		if p.Remove {
			w.at--
		}
	}
	kept := w.last[:0]
	for _, raw := range w.last {
		after, ok := changed[string(raw)]
		switch {
		case !ok:
			kept = append(kept, raw)
		case after != nil:
			kept = append(kept, after)
		}
	}
	w.last = kept
}

// merge returns the failures of several sorted lists as one sequence, sorted by the
// time of failure. A record without a readable time stays behind its predecessor.
func merge(lists []iter.Seq2[FailedJob, error], o order) iter.Seq2[FailedJob, error] {
	if len(lists) == 1 {
		return lists[0]
	}
	return func(yield func(FailedJob, error) bool) {
		var heads []*head
		defer func() {
			for _, h := range heads {
				h.stop()
			}
		}()
		for _, list := range lists {
			h := &head{}
			h.next, h.stop = iter.Pull2(list)
			h.pull()
			heads = append(heads, h)
		}
		for {
			first := pick(heads, o)
			if first == nil {
				return
			}
			if !yield(first.job, first.err) || first.err != nil {
				return
			}
			first.pull()
		}
	}
}

// head is the next failure of one list.
type head struct {
	next func() (FailedJob, error, bool)
	stop func()
	job  FailedJob
	err  error
	ok   bool
	at   time.Time
}

func (h *head) pull() {
	h.job, h.err, h.ok = h.next()
	if h.ok && !h.job.FailedAt.IsZero() {
		h.at = h.job.FailedAt
	}
}

// pick returns the head that comes next, or nil if all lists are at their end.
func pick(heads []*head, o order) *head {
	var first *head
	for _, h := range heads {
		switch {
		case !h.ok:
		case h.err != nil:
			return h
		case first == nil,
			o == newestFirst && h.at.After(first.at),
			o == oldestFirst && h.at.Before(first.at):
			first = h
		}
	}
	return first
}
