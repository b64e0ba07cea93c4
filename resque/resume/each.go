package resume

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/goresque/goresque/resque"
)

// position is how far a job has come.
type position struct {
	Step   int             `json:"step"`             // the number of the call of Each, from 0
	Cursor json.RawMessage `json:"cursor,omitempty"` // of the last item that is done
}

// ErrNoPolicy is the error of [Each] in a job whose class has no [Policy].
var ErrNoPolicy = errors.New("resume: the class of the job has no resume.Policy")

// Each calls fn for each item that items returns with its cursor. A cursor is the position
// after its item, such as an id. items gets the cursor of the last item that an earlier attempt
// has done, or the zero value. It must return the items after that one, always in the same
// order. Cursors are stored as JSON.
//
// Each saves the position every [Policy].SaveEvery, after an item, and when it returns. It
// returns nil after the last item. If fn returns an error, Each returns it, and a later attempt
// of the job begins with the same item. If the worker begins to stop, or ctx ends, Each returns
// an error after the current item. Return it: the job then goes back to its queue.
//
// A job may call Each several times, always in the same order. A later attempt skips the calls
// that are done.
//
// In an inline client, and in tests without a worker, nothing is saved.
func Each[C, V any](ctx context.Context, items func(after C) iter.Seq2[C, V], fn func(ctx context.Context, item V) error) error {
	r, ok := ctx.Value(runKey{}).(*run)
	if !ok {
		return ErrNoPolicy
	}
	var after C
	s, skip, err := r.next(ctx, &after)
	if skip || err != nil {
		return err
	}
	for cursor, item := range items(after) {
		if err := s.stop(ctx); err != nil {
			return s.leave(ctx, err)
		}
		if err := fn(ctx, item); err != nil {
			return s.leave(ctx, err)
		}
		s.done = cursor
		if time.Since(s.last) >= s.policy.SaveEvery {
			if err := s.saved(ctx); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil { // the sequence may have ended because of that
		return s.leave(ctx, err)
	}
	s.finished = true
	return s.saved(ctx)
}

// step is a call of Each.
type step struct {
	*run

	number   int
	done     any // the cursor of the last item that is done in this attempt, or nil
	finished bool
	last     time.Time // of saving
}

// next begins a call of Each. It sets after to the cursor of an earlier attempt. skip reports
// that an earlier attempt has finished the call.
func (r *run) next(ctx context.Context, after any) (s *step, skip bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.store == nil && !r.inline {
		return nil, false, errors.New("resume: the context has no client to save the position (pass worker.ServeChild a context with resque.WithClient)")
	}
	if !r.read && !r.inline {
		text, err := r.store.Cursor(ctx, r.payload)
		if err != nil {
			return nil, false, fmt.Errorf("resume: %w", err)
		}
		if text != "" {
			if err := json.Unmarshal([]byte(text), &r.from); err != nil {
				return nil, false, fmt.Errorf("resume: the saved position %q cannot be read: %w", text, err)
			}
		}
	}
	r.read = true
	s = &step{run: r, number: r.steps, last: time.Now()}
	r.steps++
	if s.number == r.from.Step && len(r.from.Cursor) > 0 {
		if err := json.Unmarshal(r.from.Cursor, after); err != nil {
			return nil, false, fmt.Errorf("resume: the saved cursor %s cannot be read: %w", r.from.Cursor, err)
		}
	}
	return s, s.number < r.from.Step, nil
}

// stop returns an error if the job must not begin another item.
func (s *step) stop(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-resque.Stopping(ctx):
		return resque.Return()
	default:
	}
	if limit := s.policy.MaxRuntime; limit > 0 && time.Since(s.begun) >= limit && s.done != nil {
		return resque.Snooze(0)
	}
	return nil
}

// leave saves the position and returns err, with the error of saving, if there is one.
func (s *step) leave(ctx context.Context, err error) error {
	if s.done == nil {
		return err
	}
	if failed := s.save(ctx); failed != nil {
		return fmt.Errorf("%w (%w)", err, failed)
	}
	return err
}

// saveTimeout is how long saving may take at the end of an attempt.
const saveTimeout = 5 * time.Second

// saved saves the position while the job goes on. If Redis is away, that does not end the job:
// the position is saved later.
func (s *step) saved(ctx context.Context) error {
	s.last = time.Now()
	if err := s.save(ctx); errors.Is(err, errNotJSON) {
		return err
	}
	return nil
}

var errNotJSON = errors.New("resume: the cursor cannot be stored as JSON")

func (s *step) save(ctx context.Context) error {
	if s.inline {
		return nil
	}
	at := position{Step: s.number}
	if s.finished {
		at.Step++
	} else if s.done != nil {
		cursor, err := json.Marshal(s.done)
		if err != nil {
			return fmt.Errorf("%w: %w", errNotJSON, err)
		}
		at.Cursor = cursor
	}
	text, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("resume: the position cannot be stored: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := s.store.SetCursor(ctx, s.payload, string(text)); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	return nil
}
