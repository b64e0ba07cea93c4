package activejob

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
)

// advance is the change of a job's data from one attempt to the next.
type advance struct {
	exceptions string // the key in exception_executions; "" counts none
	now        time.Time
	wait       time.Duration
	queue      string // "" keeps the current queue
	priority   *int   // nil keeps the current priority
	progress   *progress
}

// edit replaces the bytes from start to end.
type edit struct {
	start, end int
	with       []byte
}

// next returns the payload of the next attempt. It changes only the members that Rails
// changes and copies all other bytes. It does not add missing members, except
// executions, which Rails uses to count attempts, and those of a job with steps.
//
// Ruby: ActiveJob::Exceptions#retry_job and ActiveJob::Core#serialize.
func (a advance) next(payload []byte) ([]byte, error) {
	o, err := envelopeOf(payload)
	if err != nil {
		return nil, err
	}
	edits := slices.Concat(a.executions(o), a.counts(o), a.times(o), a.place(o), a.steps(o))
	slices.SortStableFunc(edits, func(x, y edit) int { return cmp.Compare(x.start, y.start) })
	start := dataStart(payload)
	out := make([]byte, 0, len(payload)+64)
	done := 0
	for _, e := range edits {
		out = append(out, payload[done:start+e.start]...)
		out = append(out, e.with...)
		done = start + e.end
	}
	return append(out, payload[done:]...), nil
}

// dataStart returns the offset of the wrapper's argument in its payload.
func dataStart(payload []byte) int {
	members, _ := rubyjson.Members(payload)
	args := object{payload, members}.last("args")
	items, _ := rubyjson.Items(args.Value(payload))
	return args.Start + items[0].Start
}

// last returns the last member with that name, which is the one that Ruby uses, or an
// empty member at 0 if there is none.
func (o object) last(name string) rubyjson.Member {
	var found rubyjson.Member
	for _, m := range o.members {
		if m.Name == name {
			found = m
		}
	}
	return found
}

// replace returns the edit of a member's value, or none if there is no such member.
func (o object) replace(name string, with []byte) []edit {
	m := o.last(name)
	if m.End == 0 {
		return nil
	}
	return []edit{{m.Start, m.End, with}}
}

func (a advance) executions(o object) []edit {
	n := strconv.AppendInt(nil, int64(o.count("executions"))+1, 10)
	if edits := o.replace("executions", n); edits != nil {
		return edits
	}
	end, with := bytes.LastIndexByte(o.raw, '}'), slices.Concat([]byte(`"executions":`), n)
	if len(o.members) > 0 {
		with = slices.Insert(with, 0, ',')
	}
	return []edit{{end, end, with}}
}

// counts returns the edit that counts the exception. If exception_executions is not an
// object, attempts are counted by executions only: see Retry.attempts.
func (a advance) counts(o object) []edit {
	if a.exceptions == "" {
		return nil
	}
	m := o.last("exception_executions")
	raw := m.Value(o.raw)
	members, ok := rubyjson.Members(raw)
	if !ok {
		return nil
	}
	counts := object{raw, members}
	n := strconv.AppendInt(nil, int64(counts.count(a.exceptions))+1, 10)
	if old := counts.last(a.exceptions); old.End > 0 {
		return []edit{{m.Start + old.Start, m.Start + old.End, n}}
	}
	with, err := rubyjson.AppendString(nil, a.exceptions)
	if err != nil {
		return nil
	}
	with = append(append(with, ':'), n...)
	at := m.Start + 1
	if len(members) > 0 {
		with, at = slices.Concat([]byte(","), with), m.Start+members[len(members)-1].End
	}
	return []edit{{at, at, with}}
}

// times returns the edits of the times, in the format of the payload. Rails before 7.1
// writes whole seconds and does not write scheduled_at.
func (a advance) times(o object) []edit {
	layout := timeLayout
	if old, ok := o.text("enqueued_at"); ok && !strings.Contains(old, ".") {
		layout = time.RFC3339
	}
	return append(
		o.replace("enqueued_at", quoted(a.now.UTC().Format(layout))),
		o.replace("scheduled_at", quoted(a.now.Add(a.wait).UTC().Format(timeLayout)))...)
}

// steps returns the edits of the members of a job with steps. executions is before them.
//
// Ruby: ActiveJob::Continuable#serialize.
func (a advance) steps(o object) (edits []edit) {
	if a.progress == nil {
		return nil
	}
	set := func(name string, with []byte) {
		if replaced := o.replace(name, with); replaced != nil {
			edits = append(edits, replaced...)
			return
		}
		end := bytes.LastIndexByte(o.raw, '}')
		edits = append(edits, edit{end, end, slices.Concat([]byte(`,"`+name+`":`), with)})
	}
	set("continuation", a.progress.Continuation)
	set("resumptions", strconv.AppendInt(nil, int64(a.progress.Resumptions), 10))
	return edits
}

func (a advance) place(o object) (edits []edit) {
	if a.queue != "" {
		if name, err := rubyjson.AppendString(nil, a.queue); err == nil {
			edits = append(edits, o.replace("queue_name", name)...)
		}
	}
	if a.priority != nil {
		edits = append(edits, o.replace("priority", strconv.AppendInt(nil, int64(*a.priority), 10))...)
	}
	return edits
}

func quoted(s string) json.RawMessage { return []byte(`"` + s + `"`) }
