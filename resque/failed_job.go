package resque

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// FailedJob is a failure as it stands in a list, Go's or Ruby's. What a damaged
// record does not say is left empty.
type FailedJob struct {
	ID         FailureID
	FailedAt   time.Time // zero if it is unknown
	Requeued   bool      // it was requeued before
	RequeuedAt time.Time // zero if it is unknown

	// FailedAtText and RequeuedAtText are the times as the record has them. A time
	// that cannot be read, or whose zone has a name that can mean several zones,
	// is unknown, and no damage.
	FailedAtText, RequeuedAtText string

	// Class and Args are the payload's; Class is "<unreadable>" for a payload
	// that is no job. Of a job of Rails they are the wrapper's, and
	// activejob.Failed has those inside.
	Class string
	Args  []json.RawMessage

	Payload   json.RawMessage // as it is in the record
	Exception string
	Error     string
	Backtrace []string
	Worker    string
	Queue     string

	// Raw is the whole record, and Damage what is wrong with it: nil for a
	// record as Resque writes them. A damaged one can be removed and, if its
	// payload and queue are sound, requeued.
	Raw    []byte
	Damage error
}

// Original is the payload as it was in the queue, which requeueing puts there
// again: the payload of the record or, of an unreadable one, the bytes it holds.
func (j FailedJob) Original() []byte { return wire.RestorePayload(j.Payload) }

// Bind decodes the arguments into targets, as [Payload.Bind] does.
func (j FailedJob) Bind(targets ...any) error {
	return (&Payload{Class: j.Class, Args: j.Args}).Bind(targets...)
}

// ParseFailedJob reads a record that stands in a list at a position: for programs
// that have it from Redis already. It never fails: what is wrong with the record
// is in Damage.
func ParseFailedJob(list string, position int64, record []byte) FailedJob {
	return parseRecord(record).job(newFailureID(cmp.Or(list, FailedList), position, record))
}

// The members of a record. Their order is that of members' names.
const (
	failedAt = iota
	payload
	exception
	message
	frames
	byWorker
	fromQueue
	retriedAt
)

// failureRecord is a record of which only what is asked for is read: most are
// passed over.
type failureRecord struct {
	raw   []byte
	spans []rubyjson.Span // nil where raw is no object
	err   error           // why it is none
}

func parseRecord(raw []byte) failureRecord {
	spans, err := rubyjson.Spans(raw,
		"failed_at", "payload", "exception", "error", "backtrace", "worker", "queue", "retried_at")
	return failureRecord{raw, spans, err}
}

// member is a member's bytes; nil for one that is null or not there.
func (r failureRecord) member(which int) []byte {
	if r.spans == nil {
		return nil
	}
	value := r.spans[which].Of(r.raw)
	if string(value) == "null" {
		return nil
	}
	return value
}

func (r failureRecord) text(which int) string {
	text, _ := rubyjson.Text(r.member(which))
	return text
}

// time reads a member that is a time, and its text as it is in the record. ok is
// false if it is neither a string nor a number.
func (r failureRecord) time(which int) (at wire.Time, text string, ok bool) {
	return wire.ParseTimeJSON(r.member(which))
}

// class is the payload's.
func (r failureRecord) class() string {
	p, err := rubyjson.ParsePayload(r.member(payload))
	if err != nil {
		return ""
	}
	return p.Class
}

// inside is the class of the Rails job in the payload; empty where there is none.
func (r failureRecord) inside() string {
	p, err := rubyjson.ParsePayload(r.member(payload))
	if err != nil || p.Class != activeJobWrapper || len(p.Args) != 1 {
		return ""
	}
	spans, err := rubyjson.Spans(p.Args[0], "job_class")
	if err != nil {
		return ""
	}
	class, _ := rubyjson.Text(spans[0].Of(p.Args[0]))
	return class
}

func (r failureRecord) retried() bool { return r.member(retriedAt) != nil }

// job reads the whole record.
func (r failureRecord) job(id FailureID) FailedJob {
	j := FailedJob{
		ID: id, Raw: r.raw, Payload: r.member(payload),
		Requeued:  r.retried(),
		Exception: r.text(exception), Error: r.text(message), Worker: r.text(byWorker), Queue: r.text(fromQueue),
	}
	failed, text, _ := r.time(failedAt)
	j.FailedAt, j.FailedAtText = failed.Time, text
	retried, text, _ := r.time(retriedAt)
	j.RequeuedAt, j.RequeuedAtText = retried.Time, text
	if p, err := rubyjson.ParsePayload(j.Payload); err == nil {
		j.Class, j.Args = p.Class, p.Args
	}
	j.Damage = r.damage(&j)
	return j
}

// damage reads the backtrace and says what is wrong with the record.
func (r failureRecord) damage(j *FailedJob) error {
	if r.err != nil {
		return fmt.Errorf("no failure's record: %w", r.err)
	}
	var found []error
	if _, _, ok := r.time(failedAt); !ok {
		found = append(found, errors.New("failed_at: no time"))
	}
	if j.Class == "" {
		found = append(found, errors.New("payload: no job"))
	}
	for _, text := range []struct {
		name  string
		which int
	}{{"exception", exception}, {"error", message}, {"worker", byWorker}, {"queue", fromQueue}} {
		if _, ok := rubyjson.Text(r.member(text.which)); !ok {
			found = append(found, fmt.Errorf("%s: no string", text.name))
		}
	}
	if value := r.member(frames); value != nil && json.Unmarshal(value, &j.Backtrace) != nil {
		j.Backtrace = nil
		found = append(found, errors.New("backtrace: no list of strings"))
	}
	return errors.Join(found...)
}

// FailedList is the list of failures of all queues. Where failures are kept by
// queue, each queue has its own: FailedListOf.
const FailedList = store.Failed

// FailedListOf names the list of a queue's failures, where they are kept by
// queue. Ruby's front end calls such a list a failed queue.
//
// Ruby: Resque::Failure.failure_queue_name.
func FailedListOf(queue string) string { return store.FailedListOf(queue) }

// FailureID names one failure: where it stands and what its record is. A
// position alone would name another failure as soon as one in front is removed,
// which is how Ruby's front end hits the wrong job.
type FailureID struct {
	List     string // FailedList, or FailedListOf a queue
	Position int64  // in the list, the oldest being 0
	Digest   string // of the record's bytes: 16 hexadecimal digits
}

const digestLength = 16

func newFailureID(list string, position int64, record []byte) FailureID {
	return FailureID{list, position, store.Digest(record)[:digestLength]}
}

// String is POSITION-DIGEST for a failure in FailedList, LIST:POSITION-DIGEST
// for another. ParseFailureID reads it.
func (id FailureID) String() string {
	text := strconv.FormatInt(id.Position, 10) + "-" + id.Digest
	if id.List == FailedList || id.List == "" {
		return text
	}
	return id.List + ":" + text
}

// ErrFailureID is wrapped by errors of ParseFailureID.
var ErrFailureID = errors.New("resque: not a failure's id")

// ParseFailureID reads what FailureID.String has written.
func ParseFailureID(text string) (FailureID, error) {
	id := FailureID{List: FailedList}
	rest := text
	if colon := strings.LastIndexByte(text, ':'); colon >= 0 {
		id.List, rest = text[:colon], text[colon+1:]
	}
	position, digest, _ := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(position, 10, 64)
	if err != nil || n < 0 || len(digest) != digestLength || strings.Trim(digest, "0123456789abcdef") != "" {
		return FailureID{}, fmt.Errorf("%w: %q; they look like 17-2fd4e1c67a2d28fc", ErrFailureID, text)
	}
	id.Position, id.Digest = n, digest
	return id, nil
}
