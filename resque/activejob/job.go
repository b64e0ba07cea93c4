package activejob

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
)

// Job is a Rails job to enqueue, for a Rails worker or for a Go worker that performs
// Rails jobs. Definitions make jobs with checked arguments; Job is for any class and
// for the other fields. [Job.Resque] returns the job that a client enqueues.
type Job struct {
	Class string // the Rails class, such as ExportJob
	Queue string // the full name, including the app's prefix if it has one
	Args  []any

	// ID identifies the job through all its attempts. Defaults to a random UUID.
	ID string

	// Priority is the priority for other ActiveJob adapters. Resque ignores it.
	// Defaults to nil, which Rails reads as nil.
	Priority *int

	// Locale and Timezone are in effect while a Rails worker performs the job. A time
	// zone has Rails' name, such as UTC. Each defaults to that of the Rails app.
	Locale, Timezone string

	// EnqueuedAt is the time at which the job was enqueued. Defaults to now. Rails shows
	// it and computes from it how long the job waited.
	EnqueuedAt time.Time

	// ScheduledAt is the time until which the job is delayed, as with [resque.Job.At].
	// Defaults to none. It is also a member of the payload, with its fraction of a
	// second.
	//
	// Ruby: set(wait_until: …).
	ScheduledAt time.Time

	// Continuable is set for a job of a class that includes ActiveJob::Continuable in Rails.
	// Definitions with the setting [Continuable] set it.
	Continuable bool
}

// Resque returns the job for a client to enqueue. It sets the default id and time, so
// that enqueueing the result again enqueues the same job. Arguments are encoded when
// the client enqueues the job; the client then returns a [*SerializationError] if an
// argument is invalid.
//
// Ruby: ActiveJob::Core#serialize, as in Rails 7.1 to 8.1. Rails 6.1 and 7.0 can also
// read the result.
func (j Job) Resque() resque.Job {
	if j.ID == "" {
		j.ID = uuid()
	}
	if j.EnqueuedAt.IsZero() {
		j.EnqueuedAt = time.Now()
	}
	j.Args = slices.Clone(j.Args)
	job := resque.Job{Queue: j.Queue, Class: JobWrapper, Args: []any{envelope(j)}}
	if !j.ScheduledAt.IsZero() {
		job = job.At(j.ScheduledAt)
	}
	return job
}

// envelope is a Job that encodes itself as Rails does.
type envelope Job

var _ rubyjson.Appender = envelope{}

// JobClass returns the Rails class, for [resque.Job.InnerClass].
func (e envelope) JobClass() string { return e.Class }

// ScheduledFor returns the envelope with the time until which the client delays the job,
// for [resque.Job.At] and [resque.Job.In].
func (e envelope) ScheduledFor(at time.Time) any {
	e.ScheduledAt = at
	return e
}

// AppendRuby appends the job's data to dst, with the members in Rails' order.
func (e envelope) AppendRuby(dst []byte, at rubyjson.Place) ([]byte, error) {
	if e.Class == "" {
		return dst, errNoClass
	}
	inside, err := at.Inside()
	if err != nil {
		return dst, err
	}
	m := members{dst: append(dst, '{'), at: inside}
	m.add("job_class", e.Class)
	m.add("job_id", e.ID)
	m.add("provider_job_id", nil)
	m.add("queue_name", e.Queue)
	m.add("priority", e.Priority)
	m.arguments(e.Class, e.Args)
	m.add("executions", 0)
	m.add("exception_executions", struct{}{})
	m.add("locale", orNil(e.Locale))
	m.add("timezone", orNil(e.Timezone))
	m.add("enqueued_at", stamp(e.EnqueuedAt))
	m.add("scheduled_at", stamp(e.ScheduledAt))
	if e.Continuable {
		m.add("continuation", json.RawMessage(`{"completed":[]}`))
		m.add("resumptions", 0)
	}
	if m.err != nil {
		return dst, m.err
	}
	return append(m.dst, '}'), nil
}

// members writes an object and keeps the first error.
type members struct {
	dst []byte
	at  rubyjson.Place
	err error
}

func (m *members) name(name string) {
	if m.dst[len(m.dst)-1] != '{' {
		m.dst = append(m.dst, ',')
	}
	m.dst = append(append(append(m.dst, '"'), name...), `":`...)
}

func (m *members) add(name string, v any) {
	if m.err != nil {
		return
	}
	m.name(name)
	m.dst, m.err = m.at.Append(m.dst, v)
}

func (m *members) arguments(class string, args []any) {
	if m.err != nil {
		return
	}
	m.name("arguments")
	inside, err := m.at.Inside()
	if err != nil {
		m.err = err
		return
	}
	w := writer{dst: append(m.dst, '[')}
	for i, arg := range args {
		write := w.value
		if i == len(args)-1 {
			write = w.last
		}
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		if t := write(arg, inside); t != nil {
			m.err = &SerializationError{Class: class, Index: i + 1, Path: t.path, Reason: t.reason, Err: t.err}
			return
		}
	}
	m.dst = append(w.dst, ']')
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// stamp returns a time in the format of Rails 7.1 and later, or nil for the zero time.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(timeLayout)
}

// uuid returns a random UUID, version 4.
//
// Ruby: SecureRandom.uuid.
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never returns an error: it crashes the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	text := hex.AppendEncode(make([]byte, 0, 36), b[:4])
	for _, part := range [][]byte{b[4:6], b[6:8], b[8:10], b[10:]} {
		text = hex.AppendEncode(append(text, '-'), part)
	}
	return string(text)
}
