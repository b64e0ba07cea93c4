package resque

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// DelayedJob is a delayed job, written by Go or Ruby. Fields that are missing from a
// damaged one are empty.
type DelayedJob struct {
	ID  DelayedID
	Due time.Time // in whole seconds

	// Class and Args are those of the job. For a Rails job they are those of the
	// wrapper; activejob.DataOf reads the job inside.
	Class string
	Args  []json.RawMessage
	Queue string // the queue to which the job goes

	// Raw is the job as it is stored. Damage is the error that describes what is wrong
	// with it, or nil. A damaged job can be removed, but not run.
	Raw    []byte
	Damage error
}

// Payload returns the job as it will be in its queue.
func (j DelayedJob) Payload() []byte {
	item, _ := wire.ParseDelayed(j.Raw) // the error is Damage
	return item.Job(j.Raw)
}

// Bind decodes the arguments into targets, as [Payload.Bind] does.
func (j DelayedJob) Bind(targets ...any) error {
	return (&Payload{Class: j.Class, Args: j.Args}).Bind(targets...)
}

// ErrDelayedDamaged is wrapped by the error if a delayed job cannot be performed: it is not
// JSON, or has no class or no queue.
var ErrDelayedDamaged = errors.New("resque: the delayed job is damaged")

// delayedItem is a delayed job at its place.
type delayedItem struct {
	second, position int64
	raw              []byte
	job              wire.Delayed
	err              error // why it cannot be parsed
}

func parseDelayed(second, position int64, raw []byte) delayedItem {
	job, err := wire.ParseDelayed(raw)
	return delayedItem{second, position, raw, job, err}
}

// damage returns what is wrong with the item.
func (i delayedItem) damage() error {
	switch {
	case i.err != nil:
		return fmt.Errorf("%w: %w", ErrDelayedDamaged, i.err)
	case i.job.Queue == "":
		return fmt.Errorf("%w: it names no queue", ErrDelayedDamaged)
	}
	return nil
}

func (i delayedItem) id() DelayedID {
	return DelayedID{i.second, i.position, store.Digest(i.raw)[:digestLength]}
}

func (i delayedItem) decoded() DelayedJob {
	return DelayedJob{
		ID: i.id(), Due: time.Unix(i.second, 0).UTC(), Class: i.job.Class, Args: i.job.Args, Queue: i.job.Queue,
		Raw: i.raw, Damage: i.damage(),
	}
}

// DelayedID identifies a delayed job by its second, its position among the jobs of that
// second, and the digest of its bytes. A position alone would identify another job as
// soon as one in front of it is removed.
type DelayedID struct {
	Second   int64  // the Unix time at which it is due
	Position int64  // among the jobs of that second; 0 is the first
	Digest   string // of the job's bytes, 16 hexadecimal digits
}

// String returns SECOND:POSITION-DIGEST. [ParseDelayedID] reads it.
func (id DelayedID) String() string {
	return strconv.FormatInt(id.Second, 10) + ":" + strconv.FormatInt(id.Position, 10) + "-" + id.Digest
}

// ErrDelayedID is wrapped by the errors of [ParseDelayedID].
var ErrDelayedID = errors.New("resque: invalid delayed job id")

// ParseDelayedID returns the DelayedID whose [DelayedID.String] is text.
func ParseDelayedID(text string) (DelayedID, error) {
	second, rest, _ := strings.Cut(text, ":")
	position, digest, _ := strings.Cut(rest, "-")
	at, err1 := strconv.ParseInt(second, 10, 64)
	n, err2 := strconv.ParseInt(position, 10, 64)
	if err1 != nil || err2 != nil || n < 0 || len(digest) != digestLength || strings.Trim(digest, "0123456789abcdef") != "" {
		return DelayedID{}, fmt.Errorf("%w %q (an id looks like 1768480796:0-2fd4e1c67a2d28fc)", ErrDelayedID, text)
	}
	return DelayedID{at, n, digest}, nil
}
