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

// FailedJob is a failure in a list, written by Go or Ruby. Fields that are missing
// from a damaged record are empty.
type FailedJob struct {
	ID         FailureID
	FailedAt   time.Time // zero if unknown
	Requeued   bool      // whether it was requeued before
	RequeuedAt time.Time // zero if unknown

	// FailedAtText and RequeuedAtText are the times as written in the record. A time
	// that cannot be read, or whose zone name is ambiguous, is unknown; this does not
	// make the record damaged.
	FailedAtText, RequeuedAtText string

	// Class and Args are those of the payload. Class is "<unreadable>" if the payload
	// is not a job. For a Rails job they are those of the wrapper; activejob.Failed
	// returns those of the job inside.
	Class string
	Args  []json.RawMessage

	Payload   json.RawMessage // as written in the record
	Exception string
	Error     string
	Backtrace []string
	Worker    string
	Queue     string

	// Raw is the record, and Size its length. Damage is the error that describes what
	// is wrong with it, or nil. A damaged failure can be removed. It can be requeued if
	// its payload and queue are valid.
	Raw    []byte
	Size   int64
	Damage error
}

// IsWhole reports whether Raw is the whole record. If it is only the beginning, which
// [Failures.Preview] returns of large failures, later fields are empty, and so are
// Payload and Args.
func (j FailedJob) IsWhole() bool { return int64(len(j.Raw)) == j.Size }

// Original returns the payload as it was in the queue, which is what
// [Failures.Requeue] pushes. For an unreadable payload it returns the original
// bytes, not the JSON that the record holds in their place.
func (j FailedJob) Original() []byte { return wire.RestorePayload(j.Payload) }

// Bind decodes the arguments into targets, as [Payload.Bind] does.
func (j FailedJob) Bind(targets ...any) error {
	return (&Payload{Class: j.Class, Args: j.Args}).Bind(targets...)
}

// ParseFailedJob returns the failure in a record that the caller has already read
// from Redis, at a position in a list. An empty list means FailedList. It never
// fails; Damage describes what is wrong with the record.
func ParseFailedJob(list string, position int64, record []byte) FailedJob {
	return located{parseRecord(record), position}.whole(cmp.Or(list, FailedList))
}

// The members of a record, in the order of recordMembers.
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

// failureRecord is a record whose members are decoded only when needed, because a
// filter skips most records.
type failureRecord struct {
	raw   []byte
	spans []rubyjson.Span // nil if raw is not an object
	err   error           // why raw is not an object
	isCut bool            // raw is only the beginning of the record
}

func recordMembers() []string {
	return []string{"failed_at", "payload", "exception", "error", "backtrace", "worker", "queue", "retried_at"}
}

func parseRecord(raw []byte) failureRecord {
	spans, err := rubyjson.Spans(raw, recordMembers()...)
	return failureRecord{raw: raw, spans: spans, err: err}
}

// beginningOf returns the record of which raw is only the beginning.
func beginningOf(raw []byte) failureRecord {
	return failureRecord{raw: raw, spans: rubyjson.SpansOfBeginning(raw, recordMembers()...), isCut: true}
}

// member returns the bytes of a member, or nil if it is null or missing.
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

// time returns a member that is a time, and its text as written in the record. ok
// is false if the member is neither a string nor a number.
func (r failureRecord) time(which int) (at wire.Time, text string, ok bool) {
	return wire.ParseTimeJSON(r.member(which))
}

// class returns the class of the payload.
func (r failureRecord) class() string {
	p, err := rubyjson.ParsePayload(r.member(payload))
	if err != nil {
		return ""
	}
	return p.Class
}

// inside returns the class of the Rails job in the payload, or "" if there is none.
func (r failureRecord) inside() string {
	p, _ := rubyjson.ParsePayload(r.member(payload)) // not a job: no class
	class, _ := railsJob(p.Class, p.Args)
	return class
}

func (r failureRecord) retried() bool { return r.member(retriedAt) != nil }

// whole returns the whole record decoded.
func (at located) whole(list string) FailedJob {
	return at.job(newFailureID(list, at.position, at.raw), int64(len(at.raw)))
}

// job returns the record decoded. size is that of the whole record.
func (r failureRecord) job(id FailureID, size int64) FailedJob {
	j := FailedJob{
		ID: id, Raw: r.raw, Size: size, Payload: r.member(payload),
		Requeued:  r.retried(),
		Exception: r.text(exception), Error: r.text(message), Worker: r.text(byWorker), Queue: r.text(fromQueue),
	}
	failed, text, _ := r.time(failedAt)
	j.FailedAt, j.FailedAtText = failed.Time, text
	retried, text, _ := r.time(retriedAt)
	j.RequeuedAt, j.RequeuedAtText = retried.Time, text
	if r.isCut {
		j.Class, j.Payload = classOfBeginning(j.Payload), nil
		return j
	}
	if p, err := rubyjson.ParsePayload(j.Payload); err == nil {
		j.Class, j.Args = p.Class, p.Args
	}
	j.Damage = r.damage(&j)
	return j
}

// classOfBeginning returns the class of the payload of which raw is only the
// beginning, or "" if the class is not in it.
func classOfBeginning(raw []byte) string {
	class, _ := rubyjson.Text(rubyjson.SpansOfBeginning(raw, "class")[0].Of(raw))
	return class
}

// damage reads the backtrace into j and returns what is wrong with the record.
func (r failureRecord) damage(j *FailedJob) error {
	if r.err != nil {
		return fmt.Errorf("not the record of a failure: %w", r.err)
	}
	var found []error
	if _, _, ok := r.time(failedAt); !ok {
		found = append(found, errors.New("failed_at: not a time"))
	}
	if j.Class == "" {
		found = append(found, errors.New("payload: not a job"))
	}
	for _, text := range []struct {
		name  string
		which int
	}{{"exception", exception}, {"error", message}, {"worker", byWorker}, {"queue", fromQueue}} {
		if _, ok := rubyjson.Text(r.member(text.which)); !ok {
			found = append(found, fmt.Errorf("%s: not a string", text.name))
		}
	}
	if value := r.member(frames); value != nil && json.Unmarshal(value, &j.Backtrace) != nil {
		j.Backtrace = nil
		found = append(found, errors.New("backtrace: not a list of strings"))
	}
	return errors.Join(found...)
}

// FailedList is the name of the list of failures of all queues. With
// [FailuresByQueue] each queue has a list: see [FailedListOf].
const FailedList = store.Failed

// FailedListOf returns the name of the list that holds a queue's failures when
// [FailuresByQueue] is used. Ruby's front end calls such a list a failed queue.
//
// Ruby: Resque::Failure.failure_queue_name.
func FailedListOf(queue string) string { return store.FailedListOf(queue) }

// FailureID identifies one failure by its position and the digest of its record. A
// position alone would identify another failure as soon as one in front of it is
// removed. In Ruby's front end that can retry or remove the wrong job.
type FailureID struct {
	List     string // FailedList, or FailedListOf a queue
	Position int64  // in the list; 0 is the oldest failure
	Digest   string // of the record's bytes, 16 hexadecimal digits
}

const digestLength = 16

func newFailureID(list string, position int64, record []byte) FailureID {
	return FailureID{list, position, store.Digest(record)[:digestLength]}
}

// String returns POSITION-DIGEST for a failure in FailedList, and
// LIST:POSITION-DIGEST for a failure in another list. [ParseFailureID] reads it.
func (id FailureID) String() string {
	text := strconv.FormatInt(id.Position, 10) + "-" + id.Digest
	if id.List == FailedList || id.List == "" {
		return text
	}
	return id.List + ":" + text
}

// ErrFailureID is wrapped by the errors of [ParseFailureID].
var ErrFailureID = errors.New("resque: invalid failure id")

// ParseFailureID returns the FailureID whose [FailureID.String] is text.
func ParseFailureID(text string) (FailureID, error) {
	id := FailureID{List: FailedList}
	rest := text
	if colon := strings.LastIndexByte(text, ':'); colon >= 0 {
		id.List, rest = text[:colon], text[colon+1:]
	}
	position, digest, _ := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(position, 10, 64)
	if err != nil || n < 0 || len(digest) != digestLength || strings.Trim(digest, "0123456789abcdef") != "" {
		return FailureID{}, fmt.Errorf("%w %q (an id looks like 17-2fd4e1c67a2d28fc)", ErrFailureID, text)
	}
	id.Position, id.Digest = n, digest
	return id, nil
}
