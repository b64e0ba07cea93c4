package activejob

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
)

// Step performs a step of a job whose class has the setting [Continuable]. If an earlier
// attempt of the job, in Ruby or in Go, has completed the step, Step returns nil and does not
// call fn. Otherwise it calls fn with the cursor of the step, which is null in the first
// attempt. The step is completed when fn returns nil.
//
// If the worker begins to stop, Step returns an [*InterruptError] before the next step, and the
// methods of the cursor return it inside a step. Return it: the job is then enqueued again with
// its progress. Code outside of steps runs in each attempt. A job calls its steps one after
// another, always in the same order, with names that are unique in the job. Otherwise Step
// returns a [*StepError].
//
// Ruby: ActiveJob::Continuable#step.
func Step(ctx context.Context, name string, fn func(c *Cursor) error) error {
	return StepFrom(ctx, name, nil, fn)
}

// StepFrom is [Step] with the value of the cursor in the first attempt.
//
// Ruby: ActiveJob::Continuable#step with start:.
func StepFrom(ctx context.Context, name string, start any, fn func(c *Cursor) error) error {
	r, ok := ctx.Value(continuationKey{}).(*continuation)
	switch {
	case !ok:
		return errNotContinuable
	case r.unreadable != nil:
		return r.unreadable
	}
	from, err := rubyjson.Append(nil, start)
	if err != nil {
		return fmt.Errorf("activejob: step %q: the start cannot be stored as JSON: %w", name, err)
	}
	if r.moved {
		if err := r.checkpoint(ctx); err != nil {
			return err
		}
	}
	if err := r.check(name); err != nil {
		return err
	}
	r.encountered = append(r.encountered, name)
	if slices.Contains(r.completed, name) {
		return nil
	}
	if r.current == nil {
		r.current = &Cursor{ctx: ctx, run: r, name: name, initial: from, value: from}
	}
	r.current.ctx = ctx
	return r.perform(fn)
}

var errNotContinuable = errors.New("activejob: Step: the class of the job does not have the setting activejob.Continuable")

// InterruptError is the error of a job that stops between or inside its steps, because its
// worker stops.
//
// Ruby: ActiveJob::Continuation::Interrupt.
type InterruptError struct{ at string }

func (e *InterruptError) Error() string { return "Interrupted " + e.at + " (stopping)" }

// Interrupted reports that the job has not failed, for [resque.ResultOf]: it returns true.
func (e *InterruptError) Interrupted() bool { return true }

// ExceptionName returns the class of this error in Ruby.
func (e *InterruptError) ExceptionName() string { return "ActiveJob::Continuation::Interrupt" }

// StepError reports a step that cannot be performed, because the steps of the job are not those
// of its earlier attempts, or because of its name.
//
// Ruby: ActiveJob::Continuation::InvalidStepError.
type StepError struct{ text string }

func (e *StepError) Error() string { return e.text }

// ExceptionName returns the class of this error in Ruby.
func (e *StepError) ExceptionName() string { return "ActiveJob::Continuation::InvalidStepError" }

// Cursor is the position in a step. It is not for concurrent use.
//
// Ruby: ActiveJob::Continuation::Step.
type Cursor struct {
	ctx            context.Context //nolint:containedctx // a cursor lives as long as the call of fn that gets it
	run            *continuation
	name           string
	initial, value json.RawMessage
	resumed        bool
}

// Get decodes the position into to, a pointer, as [json.Unmarshal] does. to is unchanged if
// there is no position yet.
func (c *Cursor) Get(to any) error {
	if string(c.value) == "null" {
		return nil
	}
	if err := json.Unmarshal(c.value, to); err != nil {
		return fmt.Errorf("activejob: step %q: the cursor %s cannot be read: %w", c.name, c.value, err)
	}
	return nil
}

// Set sets the position, which is stored as JSON, after the work before it is done. It then
// returns an [*InterruptError] if the worker is stopping, as Checkpoint does.
//
// Ruby: ActiveJob::Continuation::Step#set!. The method advance! from: id is Set(id + 1).
func (c *Cursor) Set(position any) error {
	value, err := rubyjson.Append(nil, position)
	if err != nil {
		return fmt.Errorf("activejob: step %q: the cursor cannot be stored as JSON: %w", c.name, err)
	}
	c.value = value
	return c.Checkpoint()
}

// Checkpoint returns an [*InterruptError] if the worker is stopping.
func (c *Cursor) Checkpoint() error { return c.run.checkpoint(c.ctx) }

// Resumed reports whether an earlier attempt of the job began the step.
func (c *Cursor) Resumed() bool { return c.resumed }

func (c *Cursor) advanced() bool { return !bytes.Equal(c.initial, c.value) }

// continuation is the progress of a running job. One goroutine uses it.
//
// Ruby: ActiveJob::Continuation.
type continuation struct {
	completed   []string
	current     *Cursor
	others      []byte // unknown members, each after a comma
	resumptions int

	unreadable  error // why the progress in the payload cannot be used
	plain       bool  // a job without a place for its progress, which is not interrupted
	encountered []string
	running     bool
	moved       bool // a step was completed, or a cursor advanced
	interrupted *InterruptError
}

// readContinuation returns the progress in the payload of a job.
func readContinuation(job *resque.Payload) *continuation {
	r := &continuation{}
	data, ok := DataOf(job)
	if !ok {
		r.plain = true
		return r
	}
	raw, ok := data.Member("continuation")
	if !ok || string(raw) == "null" {
		raw = json.RawMessage("{}")
	}
	if !r.read(raw) {
		r.unreadable = fmt.Errorf("activejob: the continuation %s of the job is not what Rails writes", raw)
		return r
	}
	r.resumptions = data.envelope.count("resumptions")
	if len(r.completed) > 0 || r.current != nil {
		r.resumptions++
	}
	return r
}

func (r *continuation) read(raw json.RawMessage) (ok bool) {
	members, ok := rubyjson.Members(raw)
	if !ok {
		return false
	}
	for _, m := range members {
		value := m.Value(raw)
		switch m.Name {
		case "completed":
			items, ok := rubyjson.Items(value)
			if !ok {
				return false
			}
			for _, item := range items {
				name, ok := rubyjson.Text(item.Value(value))
				if !ok {
					return false
				}
				r.completed = append(r.completed, name)
			}
		case "current":
			items, ok := rubyjson.Items(value)
			if !ok || len(items) != 2 {
				return false
			}
			name, ok := rubyjson.Text(items[0].Value(value))
			if !ok {
				return false
			}
			at := json.RawMessage(items[1].Value(value))
			r.current = &Cursor{run: r, name: name, initial: at, value: at, resumed: true}
		default:
			r.others = appendName(append(r.others, ','), m.Name)
			r.others = append(append(r.others, ':'), value...)
		}
	}
	return true
}

// text returns the progress as Rails writes it.
//
// Ruby: ActiveJob::Continuation#to_h.
func (r *continuation) text() json.RawMessage {
	text := []byte(`{"completed":[`)
	for i, name := range r.completed {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendName(text, name)
	}
	text = append(text, ']')
	if r.current != nil {
		text = appendName(append(text, `,"current":[`...), r.current.name)
		text = append(append(append(text, ','), r.current.value...), ']')
	}
	return append(append(text, r.others...), '}')
}

// appendName appends a name as JSON. check has refused those that are not valid UTF-8.
func appendName(dst []byte, name string) []byte {
	dst, _ = rubyjson.AppendString(dst, name)
	return dst
}

// at describes the position of the job.
//
// Ruby: ActiveJob::Continuation#description.
func (r *continuation) at() string {
	switch {
	case r.current != nil:
		return fmt.Sprintf("at '%s', cursor '%s'", r.current.name, rubyjson.Ruby33.AppendInspect(nil, r.current.value))
	case len(r.completed) > 0:
		return fmt.Sprintf("after '%s'", r.completed[len(r.completed)-1])
	default:
		return "not started"
	}
}

// checkpoint returns an error if the job must not go on.
func (r *continuation) checkpoint(ctx context.Context) error {
	switch {
	case r.interrupted != nil:
		return r.interrupted
	case !r.plain && stops(ctx):
		r.interrupted = &InterruptError{r.at()}
		return r.interrupted
	default:
		return ctx.Err()
	}
}

// check returns an error if a step with that name must not begin now.
//
// Ruby: ActiveJob::Continuation::Validation.
func (r *continuation) check(name string) error {
	text := ""
	next := len(r.encountered)
	switch {
	case name == "" || !utf8.ValidString(name):
		text = fmt.Sprintf("Step %q needs a name that is valid UTF-8 and not empty", name)
	case slices.Contains(r.encountered, name):
		text = fmt.Sprintf("Step '%s' has already been encountered", name)
	case r.running:
		text = fmt.Sprintf("Step '%s' is nested inside step '%s'", name, r.current.name)
	case r.current != nil && r.current.name != name && !slices.Contains(r.completed, name):
		text = fmt.Sprintf("Step '%s' found, expected to resume from '%s'", name, r.current.name)
	case next < len(r.completed) && r.completed[next] != name:
		text = fmt.Sprintf("Step '%s' found, expected to see '%s'", name, r.completed[next])
	default:
		return nil
	}
	return &StepError{text}
}

// perform performs the current step.
//
// Ruby: ActiveJob::Continuation#run_step.
func (r *continuation) perform(fn func(c *Cursor) error) error {
	r.running = true
	defer func() {
		r.running = false
		r.moved = r.moved || r.current != nil && r.current.advanced()
	}()
	switch err := fn(r.current); {
	case err != nil:
		return err
	case r.interrupted != nil: // fn has dropped the error
		return r.interrupted
	}
	r.completed = append(r.completed, r.current.name)
	r.current, r.moved = nil, true
	return nil
}
