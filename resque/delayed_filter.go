package resque

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
)

// DelayedFilter selects delayed jobs. A job must match every field that is set. Methods
// that read take the zero DelayedFilter for all jobs. Methods that change jobs return
// [ErrNoFilter] for it, unless All is set.
type DelayedFilter struct {
	// All makes a filter without other fields select all jobs.
	All bool

	// Class and Queue must equal those of the job. For a Rails job, Class may be that
	// of the wrapper or that of the job inside.
	Class, Queue string

	// Args must equal the arguments of the job or, for a Rails job, those of the job
	// inside, in any spelling of their JSON. Members of an object must be in the same
	// order. Defaults to nil, any arguments; an empty slice selects jobs without
	// arguments.
	Args []any

	// Text must occur in the class, an argument or the queue. Case is ignored.
	Text string

	// Since and Until limit the time at which the job is due: not before Since, and
	// before Until. Each defaults to the zero time, no limit.
	Since, Until time.Time
}

// ErrNoFilter is wrapped by the error if a method that changes jobs or failures gets a filter that sets
// nothing, which may be a mistake. To select all jobs, set All.
var ErrNoFilter = errors.New("resque: the filter is empty (set All to select all jobs)")

// check returns an error if the filter sets nothing.
func (f DelayedFilter) check() error {
	if !f.All && f.onlyTimes() && f.Since.IsZero() && f.Until.IsZero() {
		return ErrNoFilter
	}
	return nil
}

// onlyTimes reports whether every job within the filter's times matches.
func (f DelayedFilter) onlyTimes() bool {
	return f.Class == "" && f.Queue == "" && f.Args == nil && f.Text == ""
}

// bounds returns the first and the last second that match.
func (f DelayedFilter) bounds() (first, last int64) {
	first, last = math.MinInt64, math.MaxInt64
	if !f.Since.IsZero() {
		first = ceilSecond(f.Since)
	}
	if !f.Until.IsZero() {
		last = ceilSecond(f.Until) - 1
	}
	return first, last
}

func ceilSecond(t time.Time) int64 {
	if t.Nanosecond() > 0 {
		return t.Unix() + 1
	}
	return t.Unix()
}

// delayedMatcher is a filter prepared for many jobs. It does not check the time.
type delayedMatcher struct {
	filter DelayedFilter
	plain  []string // texts that occur in every job that matches
	text   textMatcher
	args   []string // as JSON in Ruby's spelling
}

func newDelayedMatcher(f DelayedFilter) (delayedMatcher, error) {
	m := delayedMatcher{filter: f, text: newTextMatcher(f.Text)}
	for _, text := range []string{f.Class, f.Queue} {
		if text != "" && isPlain(text) {
			m.plain = append(m.plain, text)
		}
	}
	for i, arg := range f.Args {
		raw, err := rubyjson.Append(nil, arg)
		if err != nil {
			return m, fmt.Errorf("resque: filter: argument %d: %w", i+1, err)
		}
		m.args = append(m.args, spelled(raw))
	}
	return m, nil
}

// spelled returns JSON in Ruby's spelling, so that equal values can be compared.
func spelled(raw []byte) string {
	text, err := rubyjson.Respell(nil, raw)
	if err != nil {
		return string(raw)
	}
	return string(text)
}

// match reports whether a job matches, and parses it. It rejects most jobs without
// parsing them.
func (m delayedMatcher) match(i delayedItem) (delayedItem, bool) {
	if !likely(m.plain, i.raw) {
		return i, false
	}
	i = parseDelayed(i.second, i.position, i.raw)
	if m.filter.Queue != "" && i.job.Queue != m.filter.Queue {
		return i, false
	}
	return i, (m.selects(i.job.Class, i.job.Args) || m.selects(railsJob(i.job.Class, i.job.Args))) && m.contains(i)
}

// selects reports whether class and arguments match.
func (m delayedMatcher) selects(class string, args []json.RawMessage) bool {
	if m.filter.Class != "" && class != m.filter.Class {
		return false
	}
	return m.filter.Args == nil || class != "" && slices.EqualFunc(m.args, args, func(want string, arg json.RawMessage) bool {
		return want == string(arg) || want == spelled(arg)
	})
}

func (m delayedMatcher) contains(i delayedItem) bool {
	if m.text == "" {
		return true
	}
	if i.err != nil {
		return m.text.within(i.raw)
	}
	return m.text.within([]byte(i.job.Class)) || m.text.within([]byte(i.job.Queue)) ||
		slices.ContainsFunc(i.job.Args, func(arg json.RawMessage) bool { return m.text.within(arg) })
}

// railsJob returns the class and the arguments of the Rails job inside a job, or "" if
// there is none.
func railsJob(class string, args []json.RawMessage) (inside string, arguments []json.RawMessage) {
	if class != activeJobWrapper || len(args) != 1 {
		return "", nil
	}
	spans, err := rubyjson.Spans(args[0], "job_class", "arguments")
	if err != nil {
		return "", nil
	}
	inside, _ = rubyjson.Text(spans[0].Of(args[0]))
	list := spans[1].Of(args[0])
	items, _ := rubyjson.Items(list)
	for _, item := range items {
		arguments = append(arguments, item.Value(list))
	}
	return inside, arguments
}

// textMatcher is a text to find, in lower case.
type textMatcher string

func newTextMatcher(text string) textMatcher { return textMatcher(strings.ToLower(text)) }

// within reports whether the text occurs in the bytes of a JSON value or, if they
// have escapes, in the decoded strings.
func (m textMatcher) within(value []byte) bool {
	if bytes.Contains(bytes.ToLower(value), []byte(m)) {
		return true
	}
	return bytes.IndexByte(value, '\\') >= 0 && strings.Contains(strings.ToLower(saysAll(value)), string(m))
}

// likely reports whether all texts, which are plain, may occur in a JSON value.
func likely(plain []string, raw []byte) bool {
	for _, text := range plain {
		if !bytes.Contains(raw, []byte(text)) {
			return bytes.Contains(raw, []byte(`\u00`)) // the text may be written with escapes
		}
	}
	return true
}
