package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/goresque/goresque/internal/rubyjson"
)

// Record is the value of worker:<id>: the job that a worker is performing.
//
// Ruby: Resque::Worker#working_on.
type Record struct {
	Queue   string
	RunAt   string // as text, whether it is a string or a number; empty if neither
	Payload []byte // as it was in the queue
	Stored  []byte // as it is in the record
	Guard   []byte // how the record of this one reserve begins
}

// PayloadMember is what precedes the payload in a record, after the guard.
const PayloadMember = `"payload":`

// RecordGuard returns how the record of one reserve begins. queueJSON is the
// queue's name as JSON.
func RecordGuard(queueJSON, runAt string) []byte {
	const queue, at, end = `{"queue":`, `,"run_at":"`, `",`
	guard := make([]byte, 0, len(queue)+len(queueJSON)+len(at)+len(runAt)+len(end))
	guard = append(append(guard, queue...), queueJSON...)
	guard = append(append(guard, at...), runAt...)
	return append(guard, end...)
}

// ParseRecord reads a record that any implementation has written.
func ParseRecord(text []byte) (Record, error) {
	var fields struct {
		Queue   string          `json:"queue"`
		RunAt   json.RawMessage `json:"run_at"`
		Payload json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return Record{}, fmt.Errorf("reading a worker's record: %w", err)
	}
	if len(fields.Payload) == 0 {
		return Record{}, fmt.Errorf("a worker's record without a payload: %.80s", text)
	}
	r := Record{Queue: fields.Queue, Stored: fields.Payload, Guard: text}
	_, r.RunAt, _ = ParseTimeJSON(fields.RunAt)
	head, tail, ok := bytes.Cut(text, []byte(PayloadMember))
	if ok && bytes.Contains(head, []byte(`"run_at":`)) {
		r.Guard = head
	}
	// The decoder has left out the blanks around the payload.
	if spliced, ok := bytes.CutSuffix(tail, []byte("}")); ok && bytes.Equal(bytes.TrimSpace(spliced), r.Stored) {
		r.Stored = spliced
	}
	r.Payload = RestorePayload(r.Stored)
	return r, nil
}

// RecordRunAt reads only the run_at of a record, for callers that sort many
// records. It is the zero Time if there is none that can be read.
func RecordRunAt(text []byte) Time {
	spans, err := rubyjson.Spans(text, "run_at")
	if err != nil {
		return Time{}
	}
	at, _, _ := ParseTimeJSON(spans[0].Of(text))
	return at
}

// Recordable reports whether Ruby could read a record that holds raw as it is, and
// write it again: whether raw is an object that is valid one level down.
func Recordable(raw []byte) bool {
	trimmed := bytes.TrimLeft(raw, " \t\r\n")
	return len(trimmed) > 0 && trimmed[0] == '{' && rubyjson.ValidBelow(trimmed, 1) == nil
}

// Unreadable is the class under which a payload is recorded that Ruby could not
// read. Its one argument is the payload's text, or {"base64": …} of its bytes.
const Unreadable = "<unreadable>"

// UnreadablePayload returns a payload that Ruby can read and that holds raw, which
// Ruby cannot. RestorePayload returns the bytes again.
func UnreadablePayload(raw []byte) []byte {
	text, err := rubyjson.AppendString(nil, string(raw))
	if err != nil { // not UTF-8
		text = fmt.Appendf(nil, `{"base64":"%s"}`, base64.StdEncoding.EncodeToString(raw))
	}
	return fmt.Appendf(nil, `{"class":"%s","args":[%s]}`, Unreadable, text)
}

// RestorePayload returns the bytes that were in the queue: payload itself, or
// what an unreadable one holds.
func RestorePayload(payload []byte) []byte {
	if !bytes.Contains(payload, []byte("unreadable")) { // nearly always
		return payload
	}
	p, err := rubyjson.ParsePayload(payload)
	if err != nil || p.Class != Unreadable || len(p.Args) != 1 || string(p.Args[0]) == "null" {
		return payload
	}
	var text string
	if json.Unmarshal(p.Args[0], &text) == nil {
		return []byte(text)
	}
	var encoded struct {
		Base64 []byte `json:"base64"`
	}
	if json.Unmarshal(p.Args[0], &encoded) == nil && encoded.Base64 != nil {
		return encoded.Base64
	}
	return payload
}
