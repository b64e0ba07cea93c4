package activejob

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
)

// Job is a job for a Rails worker, or for a Go worker that performs Rails' jobs:
// the plain form beneath the definitions. Resque makes of it what a client
// enqueues.
type Job struct {
	Class string // the Rails job's, ExportJob
	Queue string // in full, with the app's prefix if it has one
	Args  []any

	// ID is the job's for its whole life, also through retries. Resque fills it
	// with a random UUID where it is empty.
	ID string

	// Priority is for other adapters; Resque has no priorities. nil is Rails' nil.
	Priority *int

	// Locale and Timezone (Rails' name, such as UTC) are set while a Rails
	// worker performs the job. Where they are empty, the app's own are.
	Locale, Timezone string

	// EnqueuedAt is the present for Resque where it is zero, and ScheduledAt is
	// left out: it is when the job is due, where that is later. Rails shows them
	// and counts the job's wait by them.
	EnqueuedAt, ScheduledAt time.Time
}

// Resque returns the job to enqueue, which is the same each time it is enqueued:
// its id and its time are made here. Arguments are written when it is enqueued,
// and an error in them is the client's then, a *SerializationError.
//
// Ruby: ActiveJob::Core#serialize, as of Rails 7.1 to 8.1. Rails 6.1 and 7.0 read
// it, too.
func (j Job) Resque() resque.Job {
	if j.ID == "" {
		j.ID = uuid()
	}
	if j.EnqueuedAt.IsZero() {
		j.EnqueuedAt = time.Now()
	}
	j.Args = slices.Clone(j.Args)
	return resque.Job{Queue: j.Queue, Class: JobWrapper, Args: []any{envelope(j)}}
}

// envelope is a Job as Rails writes it.
type envelope Job

var _ rubyjson.Appender = envelope{}

// JobClass is what the client's middleware knows the job by.
func (e envelope) JobClass() string { return e.Class }

// AppendRuby writes the job's data in the order of Rails' members.
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
	if m.err != nil {
		return dst, m.err
	}
	return append(m.dst, '}'), nil
}

// members writes an object, and remembers the first error.
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

// stamp is a time as Rails 7.1 and later write it in a job's data.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(timeLayout)
}

// uuid is a random one, of version 4.
//
// Ruby: SecureRandom.uuid.
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails: it ends the program before
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	text := hex.AppendEncode(make([]byte, 0, 36), b[:4])
	for _, part := range [][]byte{b[4:6], b[6:8], b[8:10], b[10:]} {
		text = hex.AppendEncode(append(text, '-'), part)
	}
	return string(text)
}
