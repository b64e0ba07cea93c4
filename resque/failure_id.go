package resque

import (
	"crypto/sha1" //nolint:gosec // Redis's scripts have it; it tells records apart, no more
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goresque/goresque/internal/store"
)

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
	Digest   string // the first 16 hexadecimal digits of the record's SHA-1
}

const digestLength = 16

func newFailureID(list string, position int64, record []byte) FailureID {
	return FailureID{list, position, fullDigest(record)[:digestLength]}
}

// fullDigest is what Redis's scripts compare.
func fullDigest(record []byte) string {
	sum := sha1.Sum(record) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
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
