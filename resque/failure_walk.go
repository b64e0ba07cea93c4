package resque

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// order is that in which a list is gone through.
type order int

const (
	newestFirst order = iota
	oldestFirst
)

// located is a record at its place.
type located struct {
	failureRecord
	position int64
}

// records are those of one list that m passes, each read when it is its turn.
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

// walk goes through a list in parts, from one end to what was the other end when
// it began. New failures come at the end, and change nothing. Some may be removed
// in front meanwhile, and what is behind moves up: the newest first, that lets
// some come a second time; the oldest first, the walk looks for what it saw last
// and goes on behind it, and rather sees one twice than misses one.
type walk struct {
	store *store.Store
	list  string
	order order
	at    int64 // where the next part begins or, the newest first, ends
	left  int64 // how many are to be seen still
	size  int64 // of the next part

	last [][]byte // of those seen, as they stand there now
}

// A part is small at first, for those who want a few, and later as large as
// some memory allows.
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

// next reads a part, in the walk's order; an empty one is the end.
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

// onwards reads the next n behind what was seen last.
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
	w.left += w.at - from // nothing is known again: all of it is seen again
	w.at = from
	return w.read(ctx, w.at, n)
}

// grow makes the next part larger, or smaller where the records are large, and
// keeps in mind what was seen.
func (w *walk) grow(part []located) {
	size := int64(0)
	for _, at := range part {
		size += int64(len(at.raw))
	}
	w.size = min(2*w.size, maxPart)
	if size > 0 {
		w.size = max(1, min(w.size, partBytes*int64(len(part))/size))
	}
	if w.order == oldestFirst {
		for _, at := range part {
			w.last = append(w.last, at.raw)
		}
		w.last = w.last[max(0, len(w.last)-maxPart):]
	}
}

// acted tells what became of records of the last part.
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

// merge makes one sequence of several lists', by when the jobs failed. Each is
// in order by itself. A record without a readable time stays behind the one
// before it.
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

// pick is the head whose turn it is; nil when all are at their ends.
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
