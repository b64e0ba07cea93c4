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
	first int64 // where the newest first end
	at    int64 // start of the next part; its end if the newest come first
	left  int64 // records still to be read
	size  int64 // records of the next part at most

	last      [][]byte // the latest records read, with the changes made to them since
	lastBytes int
}

// The first part is small because many callers need only a few records. Later parts
// grow. The store returns fewer records if they are large.
const (
	firstPart = 50
	maxPart   = 1000
	partBytes = 2 << 20
	lastBytes = 4 << 20 // of walk.last, at least one record
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
	w := &walk{store: s, list: list, order: o, first: first, at: first, left: end - first, size: firstPart}
	if o == newestFirst {
		w.at = end
	}
	return w, nil
}

// next reads the next part, in the walk's order. An empty part is the end.
func (w *walk) next(ctx context.Context) (part []located, err error) {
	n := min(w.size, w.left)
	if n <= 0 {
		return nil, nil
	}
	w.size = min(2*w.size, maxPart)
	if w.order == newestFirst {
		part, err = w.read(ctx, w.at-1, n)
		if len(part) > 0 { // the list may be shorter than before
			w.at = part[len(part)-1].position
		}
		w.left = w.at - w.first
		return part, err
	}
	part, err = w.onwards(ctx, n)
	w.at += int64(len(part))
	w.left -= int64(len(part))
	w.remember(part)
	return part, err
}

// read reads up to n records from a position on, and at least one if there is one.
func (w *walk) read(ctx context.Context, from, n int64) ([]located, error) {
	return w.readIn(ctx, w.order, from, n)
}

func (w *walk) readIn(ctx context.Context, o order, from, n int64) ([]located, error) {
	records, err := w.store.FailedPart(ctx, w.list, from, n, o == newestFirst)
	if err != nil {
		return nil, err
	}
	part := make([]located, len(records))
	for i, e := range records {
		part[i] = located{failureRecord{raw: e.Raw}, e.Position}
	}
	return part, nil
}

// onwards reads the next n records behind the last one that was read.
func (w *walk) onwards(ctx context.Context, n int64) ([]located, error) {
	if w.at == 0 || len(w.last) == 0 {
		return w.read(ctx, w.at, n)
	}
	part, err := w.read(ctx, w.at-1, n+1)
	switch {
	case err != nil:
		return nil, err
	case len(part) == 1 && w.isLast(part[0]): // it is large, or the end of the list
		return w.read(ctx, w.at, n)
	case len(part) > 0 && w.isLast(part[0]):
		return part[1:], nil
	}
	from := max(0, w.at-maxPart)
	for at := w.at - 1; at >= from; {
		before, err := w.readIn(ctx, newestFirst, at, at-from+1)
		if err != nil {
			return nil, err
		}
		if len(before) == 0 {
			break
		}
		for _, b := range before {
			if slices.ContainsFunc(w.last, func(raw []byte) bool { return bytes.Equal(raw, b.raw) }) {
				w.at = b.position + 1
				return w.read(ctx, w.at, n)
			}
			at = b.position - 1
		}
	}
	w.left += w.at - from // no known record was found: read them all again
	w.at = from
	return w.read(ctx, w.at, n)
}

func (w *walk) isLast(at located) bool { return bytes.Equal(at.raw, w.last[len(w.last)-1]) }

// remember adds a part to the latest records.
func (w *walk) remember(part []located) {
	for _, at := range part {
		w.last = append(w.last, at.raw)
		w.lastBytes += len(at.raw)
	}
	for len(w.last) > maxPart || len(w.last) > 1 && w.lastBytes > lastBytes {
		w.lastBytes -= len(w.last[0])
		w.last = w.last[1:]
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
	w.last, w.lastBytes = kept, 0
	for _, raw := range kept {
		w.lastBytes += len(raw)
	}
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
