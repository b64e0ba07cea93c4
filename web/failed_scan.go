package web

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/goresque/goresque/resque"
)

const (
	// scanFirst is the number of failures that are read before the time is checked
	// first, and scanPart the number later, if a part of them does not take longer than
	// budgets.part. countPart is the same for counting with budgets.number.
	scanFirst = 50
	scanPart  = 1000
	countPart = 4000
)

// scan searches a list for failures that match a filter, in parts. It starts where
// the previous page ended.
type scan struct {
	h       *Dashboard
	content *failedPage
	filter  resque.FailureFilter
	end     int64 // length of the list at the start
	at      int64 // start of the next part, or its end if the newest come first
	next    int64 // start of the next page; -1 while this page is not full
	found   int64
	size    int64 // failures in the next part
	long    bool  // the user asked for the number
	rows    int64 // on the page
}

// scanFailures fills a page with the failures that match the filter.
func (h *Dashboard) scanFailures(q *request, content *failedPage, filter resque.FailureFilter) error {
	if filter.List == "" && len(content.Lists) > 1 {
		return h.mergeFailures(q, content, filter)
	}
	if filter.List == "" {
		filter.List = resque.FailedList
	}
	s := scan{h: h, content: content, filter: filter, end: content.Total, next: -1, size: scanFirst, long: q.FormValue("count") != "", rows: h.rows(q)}
	content.Before = q.number("seen", 0, 0, 1<<40)
	if s.at = q.number("below", s.end, 0, s.end); content.Oldest {
		s.at = q.number("from", 0, 0, s.end)
	}
	begun, budget := time.Now(), h.budgets.scan
	for s.left() > 0 {
		start := time.Now()
		if err := s.part(q.Context()); err != nil {
			return err
		}
		s.resize(time.Since(start))
		if s.next >= 0 {
			budget = h.budgets.count
		}
		if s.long {
			budget = h.budgets.number
		}
		if time.Since(begun) > budget {
			break
		}
	}
	s.conclude(q.URL.Query())
	return nil
}

func (s *scan) left() int64 {
	if s.content.Oldest {
		return s.end - s.at
	}
	return s.at
}

// resize chooses the size of the next part from how long the last one took. Large
// failures take long.
func (s *scan) resize(took time.Duration) {
	most := int64(scanPart)
	if s.next >= 0 && s.long {
		most = countPart
	}
	if s.size = min(4*s.size, most); took > s.h.budgets.part {
		s.size = max(s.size/16, 1)
	}
}

// part reads the next part of the list.
func (s *scan) part(ctx context.Context) error {
	n := min(s.left(), s.size)
	each := s.h.failures.Newest
	if s.filter.From, s.filter.Below = s.at-n, s.at; s.content.Oldest {
		each = s.h.failures.Oldest
		s.filter.From, s.filter.Below = s.at, s.at+n
	}
	defer func() {
		if s.at = s.filter.From; s.content.Oldest {
			s.at = s.filter.Below
		}
	}()
	if s.next >= 0 { // the page is full: only count the rest
		found, err := s.h.failures.Count(ctx, s.filter)
		s.found += found
		return err
	}
	for f, err := range each(ctx, s.filter) {
		if err != nil {
			return err
		}
		s.found++
		switch {
		case int64(len(s.content.Failures)) < s.rows:
			s.content.add(s.h, f)
		case s.next < 0:
			if s.next = f.ID.Position + 1; s.content.Oldest {
				s.next = f.ID.Position
			}
		}
	}
	return nil
}

// conclude sets how many failures were checked, and the address of the next page.
func (s *scan) conclude(values url.Values) {
	c := s.content
	c.Looked = s.end - s.left()
	if s.left() == 0 {
		c.Matching = c.Before + s.found
	}
	next := s.next
	if next < 0 && s.left() > 0 {
		next = s.at // the page is not full, but the time has passed
	}
	values.Del("count")
	c.Count = "?" + withValue(values, "count", "1")
	if next < 0 {
		return
	}
	name := "below"
	if c.Oldest {
		name = "from"
	}
	values.Set("seen", strconv.FormatInt(c.Before+int64(len(c.Failures)), 10))
	c.Older = "?" + withValue(values, name, strconv.FormatInt(next, 10))
}

func withValue(values url.Values, name, value string) string {
	with := url.Values{}
	for n, v := range values {
		with[n] = v
	}
	with.Set(name, value)
	return with.Encode()
}

// mergeFailures fills a page from several lists, ordered by time, until the time has
// passed.
func (h *Dashboard) mergeFailures(q *request, content *failedPage, filter resque.FailureFilter) error {
	content.Before = q.number("skip", 0, 0, 1<<40)
	ctx, cancel := context.WithTimeout(q.Context(), 4*h.budgets.scan)
	defer cancel()
	each := h.failures.Newest
	if content.Oldest {
		each = h.failures.Oldest
	}
	seen, rows := int64(0), h.rows(q)
	for f, err := range each(ctx, filter) {
		if ctx.Err() != nil && q.Context().Err() == nil && (err == nil || errors.Is(err, context.DeadlineExceeded)) {
			content.Looked = -1 // not all; the number is unknown
			return nil
		}
		if err != nil {
			return err
		}
		if seen++; seen <= content.Before {
			continue
		}
		if int64(len(content.Failures)) == rows {
			next := strconv.FormatInt(content.Before+rows, 10)
			content.Older = "?" + withValue(q.URL.Query(), "skip", next)
			return nil
		}
		content.add(h, f)
	}
	content.Matching = seen
	return nil
}
