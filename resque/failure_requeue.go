package resque

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// The errors about a failure that cannot be found, requeued or removed.
var (
	// ErrFailureChanged is wrapped by the error if the failure does not exist: another
	// process removed or requeued it. The call did not change it.
	ErrFailureChanged = errors.New("resque: the failure no longer exists, or was changed")
	// ErrFailureRequeued is wrapped by the error if the failure was requeued before and
	// RequeueOptions.Again is not set.
	ErrFailureRequeued = errors.New("resque: the failure was requeued before")
	// ErrFailureDamaged is wrapped by the error if the record does not hold a payload
	// and a queue with which the job can be requeued.
	ErrFailureDamaged = errors.New("resque: the failure's record is damaged")
)

// RequeueOptions are the options of [Failures.Requeue] and [Failures.RequeueAll]. With
// the zero value they do what Ruby does: the payload is pushed to the end of its
// queue with the same bytes, and the failure is kept and marked with the time.
type RequeueOptions struct {
	// Queue is the queue to which the job is pushed. Defaults to the queue that the
	// record names.
	Queue string

	// Args replaces the arguments of the job. The rest of the payload is kept.
	// Defaults to nil: the arguments are kept.
	Args []any

	// Again allows failures that were requeued before to be requeued, as in Ruby.
	Again bool

	// Remove removes the failure instead of marking it.
	Remove bool

	// Keep is how long failures that Remove removed can be restored: see
	// [BulkProgress].Trash. Restoring does not take the job off its queue. Defaults
	// to 0: they cannot be restored.
	Keep time.Duration
}

// keep returns Keep, or 0 if nothing is removed.
func (how RequeueOptions) keep() time.Duration {
	if !how.Remove {
		return 0
	}
	return how.Keep
}

// Requeue pushes the jobs of the failures with the given ids to their queues. If some
// failures cannot be requeued, it requeues the others and returns an error with a
// line for each. If the error wraps ErrMaybeQueued, read the failures again to see
// which were requeued.
//
// Ruby: Resque::Failure.requeue.
func (f *Failures) Requeue(ctx context.Context, how RequeueOptions, ids ...FailureID) (BulkProgress, error) {
	if err := how.check(); err != nil {
		return BulkProgress{}, err
	}
	return f.selected(ctx, &bulk{act: how.act, keep: how.keep()}, ids)
}

// RequeueAll requeues the failures that match filter and exist when the call begins,
// the oldest first. It skips and counts those that cannot be requeued. Unless progress
// is nil, RequeueAll calls it after each part of a list. When ctx ends, RequeueAll
// stops between two steps; another call continues from there. It returns [ErrNoFilter]
// for an empty filter.
//
// Ruby: Resque::Failure.requeue_all and Resque::Failure.requeue_queue, which also
// requeue failures that were requeued before.
func (f *Failures) RequeueAll(ctx context.Context, how RequeueOptions, filter FailureFilter, progress func(BulkProgress)) (BulkProgress, error) {
	if err := how.check(); err != nil {
		return BulkProgress{}, err
	}
	if err := filter.check(); err != nil {
		return BulkProgress{}, err
	}
	if !how.Again && filter.Requeued == AnyRequeued {
		filter.Requeued = NotRequeued
	}
	return f.matching(ctx, &bulk{act: how.act, keep: how.keep(), tell: progress}, filter)
}

func (how RequeueOptions) check() error {
	if how.Queue != "" {
		if err := validQueue(how.Queue); err != nil {
			return err
		}
	}
	_, err := rubyjson.AppendArgs(nil, how.Args)
	if err != nil {
		return argumentError("new arguments", err)
	}
	return nil
}

// act returns the act that requeues the job of a record. It only cuts and splices the
// bytes of the record.
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

// withArgs returns payload with its arguments replaced by args.
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

// mark returns the edit that writes the time of requeueing into a record. It replaces
// an earlier time, or becomes the last member, as in Ruby.
func mark(r failureRecord, now time.Time) (from, to int, insert []byte) {
	text := `"` + wire.FormatFailedAt(now) + `"`
	if at := r.spans[retriedAt]; at.End > 0 {
		return at.Start, at.End, []byte(text)
	}
	end := bytes.LastIndexByte(r.raw, '}')
	return end, end, []byte(`,"retried_at":` + text)
}
