package resque

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// Errors about a failure that was to be requeued or removed.
var (
	// ErrFailureChanged is wrapped where the failure is not there any more:
	// somebody has removed it, or requeued it meanwhile. Nothing was done.
	ErrFailureChanged = errors.New("the failure is not there any more, or was changed")
	// ErrFailureRequeued is wrapped where the failure was requeued before and
	// RequeueOptions.Again is not set.
	ErrFailureRequeued = errors.New("the failure was requeued before")
	// ErrFailureDamaged is wrapped where the record has no payload that a
	// worker could take.
	ErrFailureDamaged = errors.New("the failure's record is damaged")
)

// RequeueOptions is how failures are requeued. The zero value is Ruby's way: the
// payload goes to the end of its queue as it was, byte for byte, and the failure
// stays with the time at which that was done.
type RequeueOptions struct {
	// Queue is where the job goes. Defaults to where it was.
	Queue string

	// Args take the place of the job's arguments; nil leaves them as they are.
	// What else is in the payload stays.
	Args []any

	// Again requeues also what was requeued before, as Ruby does.
	Again bool

	// Remove removes the failure instead of marking it.
	Remove bool

	// Keep is how long what Remove removes can be restored (see BulkProgress.Trash),
	// which does not take the job off its queue again. Defaults to 0: it is gone.
	Keep time.Duration
}

// keep is Keep where there is something to be kept.
func (how RequeueOptions) keep() time.Duration {
	if !how.Remove {
		return 0
	}
	return how.Keep
}

// Requeue places the jobs of the failures on their queues again. What cannot be
// is told by the error, one line each, and does not keep the others from it.
// After an error that wraps ErrMaybeQueued the records tell which were requeued.
//
// Ruby: Resque::Failure.requeue.
func (f *Failures) Requeue(ctx context.Context, how RequeueOptions, ids ...FailureID) (BulkProgress, error) {
	if err := how.check(); err != nil {
		return BulkProgress{}, err
	}
	return f.selected(ctx, &bulk{act: how.act, keep: how.keep()}, ids)
}

// RequeueAll requeues the failures that the filter passes, the oldest first,
// among those that are there now. What cannot be is left and counted. progress,
// where it is not nil, is told from time to time how far it is; when ctx ends, it
// stops in between. Calling it again goes on where it stopped.
//
// Ruby: Resque::Failure.requeue_all and Resque::Failure.requeue_queue, which
// requeue what was requeued before, too.
func (f *Failures) RequeueAll(ctx context.Context, how RequeueOptions, filter FailureFilter, progress func(BulkProgress)) (BulkProgress, error) {
	if err := how.check(); err != nil {
		return BulkProgress{}, err
	}
	if !how.Again && filter.Requeued == AnyRequeued {
		filter.Requeued = NotRequeued
	}
	return f.matching(ctx, &bulk{act: how.act, keep: how.keep(), tell: progress}, filter)
}

func (how RequeueOptions) check() error {
	if !utf8.ValidString(how.Queue) {
		return fmt.Errorf("resque: queue %q is not UTF-8", how.Queue)
	}
	_, err := rubyjson.AppendArgs(nil, how.Args)
	if err != nil {
		return argumentError("new arguments", err)
	}
	return nil
}

// act is what requeueing does with a record. The bytes are cut and spliced where
// they stand.
func (how RequeueOptions) act(r failureRecord) (store.FailedAct, error) {
	a := store.FailedAct{Queue: how.Queue, Remove: how.Remove}
	if r.retried() && !how.Again {
		return a, ErrFailureRequeued
	}
	value := r.member(payload)
	if len(value) == 0 || value[0] != '{' {
		return a, fmt.Errorf("%w: it has no payload", ErrFailureDamaged)
	}
	if a.Queue == "" {
		if a.Queue = r.text(fromQueue); a.Queue == "" {
			return a, fmt.Errorf("%w: it names no queue", ErrFailureDamaged)
		}
	}
	at := r.spans[payload]
	a.From, a.To = at.Start, at.End
	original := wire.RestorePayload(value)
	switch {
	case how.Args != nil:
		edited, err := withArgs(original, how.Args)
		if err != nil {
			return a, err
		}
		a.Payload = edited
	case len(original) == 0: // it was empty
		a.To = a.From
	case &original[0] != &value[0]:
		a.Payload = original
	}
	a.CutFrom, a.CutTo, a.Insert = mark(r, time.Now())
	return a, nil
}

// withArgs puts args in the place of a payload's.
func withArgs(payload []byte, args []any) ([]byte, error) {
	spans, err := rubyjson.Spans(payload, "args")
	if err != nil {
		return nil, fmt.Errorf("%w: its payload cannot be edited: %w", ErrFailureDamaged, err)
	}
	text, err := rubyjson.AppendArgs(nil, args)
	if err != nil {
		return nil, argumentError("new arguments", err)
	}
	if at := spans[0]; at.End > 0 {
		return slices.Concat(payload[:at.Start], text, payload[at.End:]), nil
	}
	end := bytes.LastIndexByte(payload, '}')
	comma := ","
	if len(bytes.TrimSpace(payload[:end])) == len("{") {
		comma = ""
	}
	return slices.Concat(payload[:end], []byte(comma+`"args":`), text, payload[end:]), nil
}

// mark says how the time of requeueing comes into a record: in the place of an
// earlier one, or as the last member, where Ruby's hash has it.
func mark(r failureRecord, now time.Time) (from, to int, insert []byte) {
	text := `"` + wire.FormatFailedAt(now) + `"`
	if at := r.spans[retriedAt]; at.End > 0 {
		return at.Start, at.End, []byte(text)
	}
	end := bytes.LastIndexByte(r.raw, '}')
	return end, end, []byte(`,"retried_at":` + text)
}
