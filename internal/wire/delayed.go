package wire

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/goresque/goresque/internal/rubyjson"
)

// Delayed is an item of delayed:<second>: a job with the queue to which it goes.
//
// Ruby: Resque::Scheduler::DelayingExtensions#job_to_hash_with_queue.
type Delayed struct {
	Class string
	Args  []json.RawMessage
	Queue string // empty if the item names none

	// CutFrom and CutTo are the bytes of the item that are not part of the job in its
	// queue: the member queue and a comma beside it.
	CutFrom, CutTo int
}

// ParseDelayed parses an item. The errors are those of [rubyjson.ParsePayload]. An
// object without a class is returned with its queue and rubyjson.ErrNoClass. The
// result refers to item.
func ParseDelayed(item []byte) (Delayed, error) {
	members, ok := rubyjson.Members(item)
	job, err := rubyjson.ParsePayload(item)
	d := Delayed{Class: job.Class, Args: job.Args}
	if !ok {
		return d, err
	}
	at := -1 // of two members with the same name the last counts
	for i, m := range members {
		if m.Name == "queue" {
			at = i
		}
	}
	if at < 0 {
		return d, err
	}
	d.Queue, _ = rubyjson.Text(members[at].Value(item))
	d.CutTo = members[at].End
	switch {
	case at > 0:
		d.CutFrom = members[at-1].End
	default:
		d.CutFrom = bytes.IndexByte(item, '{') + 1
		if len(members) > 1 {
			d.CutTo += bytes.IndexByte(item[d.CutTo:], ',') + 1
		}
	}
	return d, err
}

// AppendDelayed appends an item that delays a payload of queue to dst: the payload with
// the member queue after class and args if these come first, as in Ruby, and otherwise at
// the end. ParseDelayed cuts out the same bytes. payload must be a JSON object.
func AppendDelayed(dst, payload []byte, queue string) []byte {
	members, _ := rubyjson.Members(payload)
	at := bytes.IndexByte(payload, '{') + 1
	for i, m := range members {
		at = m.End
		if i == 1 && members[0].Name == "class" && m.Name == "args" && !slices.ContainsFunc(members, isQueue) {
			break
		}
	}
	dst = append(dst, payload[:at]...)
	if len(members) > 0 {
		dst = append(dst, ',')
	}
	dst = append(dst, `"queue":`...)
	dst, _ = rubyjson.AppendString(dst, strings.ToValidUTF8(queue, "\uFFFD")) // fails only on invalid UTF-8
	return append(dst, payload[at:]...)
}

func isQueue(m rubyjson.Member) bool { return m.Name == "queue" }

// Job returns the job as it is in its queue. item is what was passed to
// [ParseDelayed].
func (d Delayed) Job(item []byte) []byte {
	if d.CutTo == 0 {
		return item
	}
	return append(append(make([]byte, 0, len(item)), item[:d.CutFrom]...), item[d.CutTo:]...)
}
