package policy

import (
	"bytes"
	"encoding/json"
	"math"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
)

// Member is the member of a payload that marks the job as a member of a batch, and
// Mark its value. Whatever its class, a job with it is counted when it ends.
const Member = "batch"

// Mark says of which batch a job is a member, and which number it has there.
type Mark struct {
	ID string `json:"id"`
	N  int64  `json:"n"`
}

// MayBeMember reports whether a payload may have a mark. It does not parse the payload and
// allocates nothing. A name that is spelled with escapes, which no program does, is not
// found.
func MayBeMember(payload []byte) bool { return bytes.Contains(payload, []byte(`"`+Member+`"`)) }

// MarkOf returns the mark of a payload. ok is false if it has none.
func MarkOf(payload []byte) (m Mark, ok bool) {
	if !MayBeMember(payload) {
		return Mark{}, false
	}
	if m, ok = lastMark(payload); ok {
		return m, true
	}
	return parsedMark(payload)
}

func parsedMark(payload []byte) (m Mark, ok bool) {
	spans, err := rubyjson.Spans(payload, Member)
	if err != nil || spans[0].End == 0 || json.Unmarshal(spans[0].Of(payload), &m) != nil || !m.valid() {
		return Mark{}, false
	}
	return m, true
}

// lastMark returns the mark of a payload that ends with it, spelled as package batch does.
// That is faster than to parse the payload. A mark inside of another member is followed
// by more braces.
func lastMark(payload []byte) (m Mark, ok bool) {
	const begins, number = `,"` + Member + `":{"id":"`, `","n":`
	at := bytes.LastIndex(payload, []byte(begins))
	if at < 0 {
		return Mark{}, false
	}
	id, rest, ok := bytes.Cut(payload[at+len(begins):], []byte(number))
	digits, ends := bytes.CutSuffix(rest, []byte("}}"))
	if !ok || !ends || len(digits) == 0 || len(digits) > 10 {
		return Mark{}, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return Mark{}, false
		}
		m.N = 10*m.N + int64(c-'0')
	}
	m.ID = string(id)
	return m, m.valid()
}

// maxIDLength is more than the ids of batches have.
const maxIDLength = 64

// valid reports whether the mark can be that of a batch: its id becomes a part of a key.
func (m Mark) valid() bool { return ValidBatchID(m.ID) && m.N >= 0 && m.N <= math.MaxUint32 }

// ValidBatchID reports whether id can be the id of a batch.
func ValidBatchID(id string) bool {
	for i := range len(id) {
		if c := id[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return id != "" && len(id) <= maxIDLength
}

// countMember adds what counts the end of a member of a batch to e, which all policies
// have decided. A job that is performed again has not ended.
func (j *Job) countMember(e *Ending) {
	if e.Again != nil || e.Kind == Returned {
		return
	}
	m, ok := MarkOf(j.Payload)
	if !ok {
		return
	}
	how := store.MemberDone
	switch {
	case j.Skipped || e.Kind == Refused:
		how = store.MemberSkipped
	case e.Failed():
		how = store.MemberFailed
	}
	seen, known := j.Seen(j.Store.BatchKey(m.ID))
	e.Expect = append(e.Expect, j.Store.MemberEnded(m.ID, m.N, how, seen.Text, known))
}
