package resque

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/wire"
)

// member is one that a payload has beside class and args.
type member struct {
	name  string
	value any
}

// WithMember returns the job with a member more in its payload, behind class and
// args, in place of one of that name: for what travels with a job and is no
// argument, such as a trace's context. Ruby performs such a job as any other. But
// its bytes are others: what compares bytes, as Dequeue and Ruby's dequeue do,
// finds the job only with the same members. The names class and args are errors
// when the job is enqueued.
func (j Job) WithMember(name string, value any) Job {
	others := slices.DeleteFunc(slices.Clone(j.members), func(m member) bool { return m.name == name })
	j.members = append(others, member{name, value})
	return j
}

// appendMembers appends a job's members, each behind a comma.
func appendMembers(dst []byte, spell rubyjson.Profile, j Job) ([]byte, error) {
	for _, m := range j.members {
		if m.name == "class" || m.name == "args" {
			return dst, fmt.Errorf("resque: %s: a member cannot be named %q", j.Class, m.name)
		}
		var err error
		if dst, err = spell.AppendString(append(dst, ','), m.name); err != nil {
			return dst, fmt.Errorf("resque: %s: the name of member %q: %w", j.Class, m.name, err)
		}
		if dst, err = spell.Append(append(dst, ':'), m.value); err != nil {
			return dst, fmt.Errorf("resque: %s: member %q: %w", j.Class, m.name, err)
		}
	}
	return dst, nil
}

// Member is a member of the payload beside class and args, as it stands there:
// what others have added, or WithMember.
func (p *Payload) Member(name string) (raw json.RawMessage, ok bool) {
	spans, err := rubyjson.Spans(p.Raw, name)
	if err != nil || spans[0].End == 0 {
		return nil, false
	}
	return spans[0].Of(p.Raw), true
}

// activeJobWrapper is the class of all jobs of Rails. Package activejob knows the
// rest of them.
const activeJobWrapper = "ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper"

// InnerClass is the class by which the job is known where it is performed: that
// of the Rails job inside, where package activejob made it, else Class.
func (j Job) InnerClass() string {
	if j.Class == activeJobWrapper && len(j.Args) == 1 {
		if inside, ok := j.Args[0].(interface{ JobClass() string }); ok {
			return inside.JobClass()
		}
	}
	return j.Class
}

// WaitingSince is when the job was enqueued, or was due where that was later. ok
// is false where its payload does not say: Rails' do, others only where somebody
// has added a member enqueued_at, as StampEnqueuedAt does.
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

// timeOf reads a time that is a text, or a number of seconds since 1970.
func timeOf(raw []byte) (at time.Time, ok bool) {
	read, _, _ := wire.ParseTimeJSON(raw)
	return read.Time, !read.IsZero()
}
