package resque

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/rubyjson"
)

// FailureFilter selects failures. A failure must match every field that is set. Methods
// that read take the zero FailureFilter for all failures. Methods that change failures
// return [ErrNoFilter] for it, unless All is set.
type FailureFilter struct {
	// All makes a filter without other fields select all failures.
	All bool

	// List is the name of a list, one of those that [Failures.Lists] returns.
	// Defaults to "", all lists.
	List string

	// Class, Queue and Exception must equal those of the failure. For a Rails job,
	// Class may be that of the wrapper or that of the job inside.
	Class, Queue, Exception string

	// Batch is the id of a batch of which the failed job must be a member; see package
	// resque/batch.
	Batch string

	// Text must occur in the class, an argument, the exception, the error, the
	// backtrace, the worker or the queue. Case is ignored.
	Text string

	// Since and Until limit the time of the failure: not before Since, and before
	// Until. Each defaults to the zero time, no limit.
	Since, Until time.Time

	// From and Below limit the position in a list: not below From, and below Below.
	// They serve to read a long list in steps: with the newest failure first, set
	// Below to the position of the last failure seen. Each defaults to 0, no limit.
	From, Below int64

	// Requeued selects failures by whether they were requeued before. Defaults to
	// AnyRequeued.
	Requeued RequeuedFilter
}

// RequeuedFilter selects failures by whether they were requeued before.
type RequeuedFilter int

// The values of RequeuedFilter: all failures, only those that were requeued before,
// and only those that were not.
const (
	AnyRequeued RequeuedFilter = iota
	OnlyRequeued
	NotRequeued
)

// all reports whether the filter matches every record of its lists.
func (f FailureFilter) all() bool {
	f.List, f.All = "", false
	return f == FailureFilter{}
}

// check returns an error if the filter sets nothing.
func (f FailureFilter) check() error {
	if f == (FailureFilter{}) {
		return ErrNoFilter
	}
	return nil
}

// matcher is a filter prepared for many records.
type matcher struct {
	FailureFilter
	plain []string // texts that occur in every record that matches
	text  textMatcher

	// unknownTimes matches the failures that a filter with times leaves out because
	// their time is unknown.
	unknownTimes bool
}

func newMatcher(f FailureFilter) matcher {
	m := matcher{FailureFilter: f, text: newTextMatcher(f.Text)}
	for _, text := range []string{f.Class, f.Queue, f.Exception, f.Batch} {
		if text != "" && isPlain(text) {
			m.plain = append(m.plain, text)
		}
	}
	return m
}

// isPlain reports whether text has the same spelling in JSON from any program, because
// nothing in it is ever escaped.
func isPlain(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"\/<>&`, r) }) < 0
}

// match reports whether a record matches. It rejects most records without decoding
// them.
func (m matcher) match(raw []byte) (failureRecord, bool) {
	if !likely(m.plain, raw) {
		return failureRecord{}, false
	}
	r := parseRecord(raw)
	return r, m.passes(r)
}

func (m matcher) passes(r failureRecord) bool {
	switch {
	case m.Requeued == OnlyRequeued && !r.retried(), m.Requeued == NotRequeued && r.retried():
		return false
	case m.Class != "" && r.class() != m.Class && r.inside() != m.Class:
		return false
	case m.Queue != "" && r.text(fromQueue) != m.Queue:
		return false
	case m.Exception != "" && r.text(exception) != m.Exception:
		return false
	case m.Batch != "":
		if mark, ok := policy.MarkOf(r.member(payload)); !ok || mark.ID != m.Batch {
			return false
		}
	}
	return m.during(r) && (m.text == "" || m.contains(r))
}

func (m matcher) during(r failureRecord) bool {
	if m.Since.IsZero() && m.Until.IsZero() {
		return true
	}
	at, _, _ := r.time(failedAt)
	certain := !at.IsZero() && !at.Earliest().Before(m.Since) && (m.Until.IsZero() || at.Latest().Before(m.Until))
	if !m.unknownTimes {
		return certain
	}
	possible := at.IsZero() || !at.Latest().Before(m.Since) && (m.Until.IsZero() || at.Earliest().Before(m.Until))
	return possible && !certain
}

// contains reports whether the text occurs in a value. The names of members do not
// count.
func (m matcher) contains(r failureRecord) bool {
	if r.spans == nil {
		return m.text.within(r.raw)
	}
	if p, err := rubyjson.ParsePayload(r.member(payload)); err == nil {
		if m.text.within([]byte(p.Class)) {
			return true
		}
		for _, arg := range p.Args {
			if m.text.within(arg) {
				return true
			}
		}
	} else if m.text.within(r.member(payload)) {
		return true
	}
	for _, which := range []int{exception, message, frames, byWorker, fromQueue} {
		if m.text.within(r.member(which)) {
			return true
		}
	}
	return false
}

// saysAll returns every string in a JSON value, decoded.
func saysAll(value []byte) string {
	var all strings.Builder
	for d := json.NewDecoder(bytes.NewReader(value)); ; {
		token, err := d.Token()
		if err != nil {
			return all.String()
		}
		if text, ok := token.(string); ok {
			all.WriteString(text + "\n")
		}
	}
}
