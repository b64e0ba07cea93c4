package store

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/goresque/goresque/internal/rubyjson"
)

// Unreadable is the class under which a payload is recorded that Ruby could not
// read. Its one argument is the payload's text, or {"base64": …} of its bytes.
const Unreadable = "<unreadable>"

// payloadMember is what precedes the payload in a record, after the guard.
const payloadMember = `"payload":`

// recordGuard is how the record of one reserve begins. The queue's name is
// spelled as JSON already.
func recordGuard(queueJSON, runAt string) []byte {
	const queue, at, end = `{"queue":`, `,"run_at":"`, `",`
	guard := make([]byte, 0, len(queue)+len(queueJSON)+len(at)+len(runAt)+len(end))
	guard = append(append(guard, queue...), queueJSON...)
	guard = append(append(guard, at...), runAt...)
	return append(guard, end...)
}

// record is a worker:<id> value: what a worker is doing.
//
// Ruby: Resque::Worker#working_on.
type record struct {
	queue   string
	runAt   string // in the order of reserves, where one worker wrote them
	payload []byte // as it was in the queue
	stored  []byte // as it is in the record
	guard   []byte
}

// parseRecord reads a record that Go or Ruby wrote.
func parseRecord(text []byte) (record, error) {
	var fields struct {
		Queue   string          `json:"queue"`
		RunAt   json.RawMessage `json:"run_at"`
		Payload json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return record{}, fmt.Errorf("reading a worker's record: %w", err)
	}
	if len(fields.Payload) == 0 {
		return record{}, fmt.Errorf("a worker's record without a payload: %.80s", text)
	}
	r := record{queue: fields.Queue, runAt: string(fields.RunAt), stored: fields.Payload, guard: text}
	head, tail, ok := bytes.Cut(text, []byte(`"payload":`))
	if ok && bytes.Contains(head, []byte(`"run_at":`)) {
		r.guard = head
	}
	// The decoder has left out the blanks around the payload.
	if spliced, ok := bytes.CutSuffix(tail, []byte("}")); ok && bytes.Equal(bytes.TrimSpace(spliced), r.stored) {
		r.stored = spliced
	}
	r.payload = RestorePayload(r.stored)
	return r, nil
}

// recordable reports whether Ruby could read a record that holds raw as it is, and
// write it again: whether raw is an object that is valid one level down.
func recordable(raw []byte) bool {
	trimmed := bytes.TrimLeft(raw, " \t\r\n")
	return len(trimmed) > 0 && trimmed[0] == '{' && rubyjson.ValidBelow(trimmed, 1) == nil
}

// UnreadablePayload records raw, which Ruby could not read, so that it can: as
// the argument of a class that says so. RestorePayload has the bytes back.
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
