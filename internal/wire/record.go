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
	RunAt   string // the text of a string or a number; empty if it is neither
	Payload []byte // the bytes that were in the queue
	Stored  []byte // the bytes in the record; if Damaged, what they should be
	Guard   []byte // the beginning of the record, unique for each reserve
	Damaged bool   // Ruby cannot read the record: its payload is not JSON
}

// PayloadMember is the text between the guard and the payload of a record.
const PayloadMember = `"payload":`

// RecordGuard returns the guard of a record. queueJSON is the name of the queue as JSON.
func RecordGuard(queueJSON, runAt string) []byte {
	return AppendRecordGuard(make([]byte, 0, RecordGuardSize(queueJSON)), queueJSON, runAt)
}

// The parts of a guard.
const guardQueue, guardAt, guardEnd = `{"queue":`, `,"run_at":"`, `",`

// RecordGuardSize returns the length of a guard of a record whose run_at is one of RunAts.
func RecordGuardSize(queueJSON string) int {
	return len(guardQueue) + len(queueJSON) + len(guardAt) + len(RunAt) + len(guardEnd)
}

// AppendRecordGuard appends the guard of a record to dst.
func AppendRecordGuard(dst []byte, queueJSON, runAt string) []byte {
	dst = append(append(dst, guardQueue...), queueJSON...)
	dst = append(append(dst, guardAt...), runAt...)
	return append(dst, guardEnd...)
}

// ParseRecord parses a record of any implementation.
func ParseRecord(text []byte) (Record, error) {
	var fields struct {
		Queue   string          `json:"queue"`
		RunAt   json.RawMessage `json:"run_at"`
		Payload json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		if r, ok := parseUnchecked(text); ok {
			return r, nil
		}
		return Record{}, fmt.Errorf("parsing a worker's record: %w", err)
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
	// The decoder has removed the white space around the payload.
	if spliced, ok := bytes.CutSuffix(tail, []byte("}")); ok && bytes.Equal(bytes.TrimSpace(spliced), r.Stored) {
		r.Stored = spliced
	}
	if rubyjson.ValidBelow(r.Stored, 1) != nil { // such as text that is not UTF-8
		r.Payload, r.Stored, r.Damaged = r.Stored, UnreadablePayload(r.Stored), true
		return r, nil
	}
	r.Payload = RestorePayload(r.Stored)
	return r, nil
}

// ParseRecordBeginning parses the beginning of a record, up to the beginning of the payload,
// which starts at the returned offset.
func ParseRecordBeginning(text []byte) (r Record, payload int) {
	spans := rubyjson.SpansOfBeginning(text, "queue", "run_at", "payload")
	r.Queue, _ = rubyjson.Text(spans[0].Of(text))
	_, r.RunAt, _ = ParseTimeJSON(spans[1].Of(text))
	r.Payload = spans[2].Of(text)
	return r, spans[2].Start
}

// parseUnchecked parses a record of goresque that is not JSON because its payload is
// not: the script that reserves jobs does not check large payloads, and the worker
// may have died before it rewrote the record.
func parseUnchecked(text []byte) (r Record, ok bool) {
	head, tail, found := bytes.Cut(text, []byte(PayloadMember))
	raw, ends := bytes.CutSuffix(tail, []byte("}"))
	var fields struct {
		Queue string `json:"queue"`
		RunAt string `json:"run_at"`
	}
	if !found || !ends || json.Unmarshal(append(bytes.TrimRight(bytes.Clone(head), ","), '}'), &fields) != nil || fields.RunAt == "" {
		return Record{}, false
	}
	return Record{
		Queue: fields.Queue, RunAt: fields.RunAt, Guard: head,
		Payload: raw, Stored: UnreadablePayload(raw), Damaged: true,
	}, true
}

// RecordRunAt parses only the run_at of a record, for callers that sort many records. It
// returns the zero Time if there is no valid one.
func RecordRunAt(text []byte) Time {
	spans, err := rubyjson.Spans(text, "run_at")
	if err != nil {
		return Time{}
	}
	at, _, _ := ParseTimeJSON(spans[0].Of(text))
	return at
}

// Recordable reports whether Ruby can read, and write again, a record that contains raw
// unchanged: whether raw is a JSON object that is still valid one level deeper.
func Recordable(raw []byte) bool {
	trimmed := bytes.TrimLeft(raw, " \t\r\n")
	return len(trimmed) > 0 && trimmed[0] == '{' && rubyjson.ValidBelow(trimmed, 1) == nil
}

// Unreadable is the class of the payload that stands for one that Ruby cannot read. Its
// only argument is the text of the original payload, or {"base64": …} of its bytes.
const Unreadable = "<unreadable>"

// UnreadablePayload returns a payload that Ruby can read and that contains raw, which
// Ruby cannot read. RestorePayload returns raw again.
func UnreadablePayload(raw []byte) []byte {
	text, err := rubyjson.AppendString(nil, string(raw))
	if err != nil { // not UTF-8
		text = fmt.Appendf(nil, `{"base64":"%s"}`, base64.StdEncoding.EncodeToString(raw))
	}
	return fmt.Appendf(nil, `{"class":"%s","args":[%s]}`, Unreadable, text)
}

// RestorePayload returns the bytes that were in the queue: payload, or the bytes that an
// unreadable payload contains.
func RestorePayload(payload []byte) []byte {
	if !bytes.Contains(payload, []byte("unreadable")) { // a quick check that is nearly always true
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
