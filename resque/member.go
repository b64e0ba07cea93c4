package resque

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/wire"
)

// member is a member of a payload other than class and args.
type member struct {
	name  string
	value any
}

// WithMember returns a copy of the job with a member added to its payload after class
// and args. It replaces a member of the same name. Use it for data that belongs to the
// job but is not an argument, such as the context of a trace. Ruby performs such a job
// as any other. However, Ruby's dequeue compares payloads byte by byte and does not find
// it; [Client.Dequeue] does. If name is "class" or "args", enqueueing the job returns an
// error.
func (j Job) WithMember(name string, value any) Job {
	others := slices.DeleteFunc(slices.Clone(j.members), func(m member) bool { return m.name == name })
	j.members = append(others, member{name, value})
	return j
}

// appendMembers appends a job's members, each after a comma.
func appendMembers(dst []byte, spell rubyjson.Profile, j Job) ([]byte, error) {
	for _, m := range j.members {
		if m.name == "class" || m.name == "args" {
			return dst, fmt.Errorf("resque: %s: a member cannot be named %q", j.Class, m.name)
		}
		var err error
		if dst, err = spell.AppendString(append(dst, ','), m.name); err != nil {
			return dst, fmt.Errorf("resque: %s: name of member %q: %w", j.Class, m.name, err)
		}
		if dst, err = spell.Append(append(dst, ':'), m.value); err != nil {
			return dst, fmt.Errorf("resque: %s: member %q: %w", j.Class, m.name, err)
		}
	}
	return dst, nil
}

// Member returns the JSON of a member of the payload, such as one that was added by
// [Job.WithMember] or another program. ok is false if the payload has no such member.
func (p *Payload) Member(name string) (raw json.RawMessage, ok bool) {
	spans, err := rubyjson.Spans(p.Raw, name)
	if err != nil || spans[0].End == 0 {
		return nil, false
	}
	return spans[0].Of(p.Raw), true
}

// activeJobWrapper is the class of all ActiveJob payloads. Package activejob handles
// the rest of their format.
const activeJobWrapper = "ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper"

// InnerClass returns the class that is performed. For a job made by package activejob,
// this is the class of the Rails job inside, and otherwise Class.
func (j Job) InnerClass() string {
	if j.Class == activeJobWrapper && len(j.Args) == 1 {
		if inside, ok := j.Args[0].(interface{ JobClass() string }); ok {
			return inside.JobClass()
		}
	}
	return j.Class
}

// WaitingSince returns the time at which the job was enqueued or, if that is later, due.
// ok is false if the payload does not contain the time. Rails adds it to its jobs. Other
// jobs have it only if they have a member enqueued_at, which [StampEnqueuedAt] adds.
func (p *Payload) WaitingSince() (at time.Time, ok bool) {
	spans, err := rubyjson.Spans(p.Raw, "enqueued_at", "class", "args")
	if err != nil {
		return time.Time{}, false
	}
	if at, ok := timeOf(spans[0].Of(p.Raw)); ok {
		return at, true
	}
	var class string
	if json.Unmarshal(spans[1].Of(p.Raw), &class) != nil || class != activeJobWrapper {
		return time.Time{}, false
	}
	args := spans[2].Of(p.Raw)
	items, _ := rubyjson.Items(args)
	if len(items) != 1 {
		return time.Time{}, false
	}
	data := items[0].Value(args)
	inside, err := rubyjson.Spans(data, "enqueued_at", "scheduled_at")
	if err != nil {
		return time.Time{}, false
	}
	at, ok = timeOf(inside[0].Of(data))
	if due, scheduled := timeOf(inside[1].Of(data)); scheduled && due.After(at) {
		return due, true
	}
	return at, ok
}

// timeOf parses a time from a JSON string or a JSON number of seconds since 1970.
func timeOf(raw []byte) (at time.Time, ok bool) {
	read, _, _ := wire.ParseTimeJSON(raw)
	return read.Time, !read.IsZero()
}
