package resque

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
)

// FailureFilter says which failures are meant: those that have all that is
// given. The zero filter means all.
type FailureFilter struct {
	// List is one of Failures.Lists. Empty means all of them.
	List string

	// Class, Queue and Exception are a failure's own, exactly. Of a job of Rails,
	// Class is the wrapper's or that of the job inside.
	Class, Queue, Exception string

	// Text is part of the class, an argument, the exception, the error, the
	// backtrace, the worker or the queue, in whatever case.
	Text string

	// Since and Until bound when it failed: from Since on, before Until.
	Since, Until time.Time

	// From and Below bound their positions in a list: from From on, in front of
	// Below. They make pages, and looking through a long list in several steps:
	// Below the last one seen, the newest first. Default to 0, no bound.
	From, Below int64

	// Requeued picks those that were requeued before, or were not.
	Requeued RequeuedFilter
}

// RequeuedFilter says whether failures that were requeued before are meant.
type RequeuedFilter int

// Which failures are meant.
const (
	AnyRequeued RequeuedFilter = iota
	OnlyRequeued
	NotRequeued
)

// all tells that the filter passes every record of its lists.
func (f FailureFilter) all() bool {
	f.List = ""
	return f == FailureFilter{}
}

// matcher is a filter made ready for many records.
type matcher struct {
	FailureFilter
	plain []string // texts that stand in every record that matches
	text  string
}

func newMatcher(f FailureFilter) matcher {
	m := matcher{FailureFilter: f, text: strings.ToLower(f.Text)}
	for _, text := range []string{f.Class, f.Queue, f.Exception} {
		if text != "" && isPlain(text) {
			m.plain = append(m.plain, text)
		}
	}
	return m
}

// isPlain tells that JSON spells a text as it is, with or without Ruby.
func isPlain(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"\/<>&`, r) }) < 0
}

// match tells whether the filter passes a record. Most are sorted out by their
// bytes alone.
func (m matcher) match(raw []byte) (failureRecord, bool) {
	if !m.likely(raw) {
		return failureRecord{}, false
	}
	r := parseRecord(raw)
	return r, m.passes(r)
}

func (m matcher) likely(raw []byte) bool {
	for _, text := range m.plain {
		if !bytes.Contains(raw, []byte(text)) {
			return bytes.Contains(raw, []byte(`\u00`)) // spelled another way, maybe
		}
	}
	return true
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
	}
	return m.during(r) && (m.text == "" || m.contains(r))
}

func (m matcher) during(r failureRecord) bool {
	if m.Since.IsZero() && m.Until.IsZero() {
		return true
	}
	at, _, _ := r.time(failedAt)
	return !at.IsZero() && !at.Earliest().Before(m.Since) && (m.Until.IsZero() || at.Latest().Before(m.Until))
}

// contains looks for the text in the values, not in the names of the members.
func (m matcher) contains(r failureRecord) bool {
	if r.spans == nil {
		return m.within(r.raw)
	}
	if p, err := rubyjson.ParsePayload(r.member(payload)); err == nil {
		if m.within([]byte(p.Class)) {
			return true
		}
		for _, arg := range p.Args {
			if m.within(arg) {
				return true
			}
		}
	} else if m.within(r.member(payload)) {
		return true
	}
	for _, which := range []int{exception, message, frames, byWorker, fromQueue} {
		if m.within(r.member(which)) {
			return true
		}
	}
	return false
}

// within looks for the text in a value as it stands there and, where it has
// escapes, in what it says.
func (m matcher) within(value []byte) bool {
	if bytes.Contains(bytes.ToLower(value), []byte(m.text)) {
		return true
	}
	return bytes.IndexByte(value, '\\') >= 0 && strings.Contains(strings.ToLower(saysAll(value)), m.text)
}

// saysAll is every text in a JSON value.
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
