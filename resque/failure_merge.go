package resque

import (
	"iter"
	"time"
)

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
