package status

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// writeInterval is the least time between two writes of the progress of a job.
const writeInterval = 250 * time.Millisecond

// Progress is the status of a running job. Its methods write to Redis at most every 250 ms;
// what was not written yet is written later, and at the end of the job. They may be called
// by several goroutines at once. They return [resque.ErrKilled] if the job was killed, and
// the handler should then return it. The context of the job has usually ended before, with
// the same cause. If Redis is away or refuses to write, the job goes on, and its progress is
// written with that of a later call.
//
// In a child process, which has no connection to Redis of its own, the context of
// worker.ServeChild must have a client: see [resque.WithClient]. Without a client the
// progress is not written, and the methods return an error.
type Progress struct {
	status store.Status
	client *resque.Client
	ctx    context.Context //nolint:containedctx // of the job, for the writes that come later
	policy *policyOf

	mu      sync.Mutex
	members []any // to write: names and values as JSON
	last    time.Time
	timer   *time.Timer // writes members; nil if none waits
	writing sync.Mutex  // held during a write
	err     error       // of a write that came later
}

func (p *policyOf) progress(ctx context.Context, job *resque.Payload) *Progress {
	client, _ := resque.ClientFromContext(ctx)
	return &Progress{
		status: p.statusOf(idOf(job.Args, job.Worker, job.Raw)), client: client, ctx: ctx, policy: p,
		last: time.Now(), // working was just written
	}
}

// ID returns the uuid of the job.
func (p *Progress) ID() string { return p.status.UUID }

// At sets how much of the work is done: num of total, which must be more than 0. message is
// a short text for people and may be empty; then the last one stays.
//
// Ruby: Resque::Plugins::Status#at.
func (p *Progress) At(ctx context.Context, num, total int, message string) error {
	if total <= 0 {
		return &NotANumberError{Total: total}
	}
	members := []any{"num", []byte(strconv.Itoa(num)), "total", []byte(strconv.Itoa(total))}
	if message != "" {
		members = append(members, "message", text(message))
	}
	return p.set(ctx, members)
}

// Tick sets the message.
//
// Ruby: Resque::Plugins::Status#tick.
func (p *Progress) Tick(ctx context.Context, message string) error {
	return p.set(ctx, []any{"message", text(message)})
}

// Set sets another member of the status, which programs read with [Status.Member]. value is
// encoded as an argument of a job is. Keep it small: results belong elsewhere.
func (p *Progress) Set(ctx context.Context, name string, value any) error {
	key, err := rubyjson.AppendString(nil, name)
	raw, wrong := resque.Job{Class: "x", Args: []any{value}}.Encode()
	if err = errors.Join(err, wrong); err != nil {
		return fmt.Errorf("status: the member %q: %w", name, err)
	}
	switch name {
	case "time", "status", "uuid", "options":
		return fmt.Errorf("status: the member %q cannot be set", name)
	}
	raw = bytes.TrimSuffix(bytes.TrimPrefix(raw, []byte(`{"class":"x","args":[`)), []byte("]}"))
	return p.set(ctx, []any{string(key[1 : len(key)-1]), raw})
}

// Complete sets the message that the status has if the handler returns nil. Without it, the
// message is the time of the end.
//
// Ruby: Resque::Plugins::Status#completed.
func (p *Progress) Complete(message string) { p.end(Completed, message) }

// Fail makes the status failed if the handler returns nil. The job itself does not fail.
//
// Ruby: Resque::Plugins::Status#failed.
func (p *Progress) Fail(message string) { p.end(Failed, message) }

func (p *Progress) end(state State, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.members = append(p.members, "message", text(message), "status", quoted(state))
}

// NotANumberError is the error of [Progress.At] for a total that is not more than 0.
type NotANumberError struct{ Total int }

func (e *NotANumberError) Error() string {
	return fmt.Sprintf("Called at() with total=%d which is not a number", e.Total)
}

// ExceptionName returns the class of this error in Ruby.
func (e *NotANumberError) ExceptionName() string { return "Resque::Plugins::Status::NotANumber" }

// set merges members, and writes them now or later.
func (p *Progress) set(ctx context.Context, members []any) error {
	if err := killed(ctx); err != nil {
		return err
	}
	if p.client == nil || p.client.Redis() == nil {
		return errors.New("status: the context of the job has no client with a Redis (in a child process, pass resque.WithClient to ServeChild)")
	}
	p.mu.Lock()
	p.merge(members)
	wait := writeInterval - time.Since(p.last)
	if wait > 0 {
		if p.timer == nil {
			p.timer = time.AfterFunc(wait, p.later)
		}
		err := p.err
		p.err = nil
		p.mu.Unlock()
		return err
	}
	p.mu.Unlock()
	return onlyKilled(p.write(ctx))
}

// onlyKilled returns err if the job was killed. If Redis is away the job goes on, and its
// progress is written later.
func onlyKilled(err error) error {
	if errors.Is(err, resque.ErrKilled) {
		return err
	}
	return nil
}

// merge adds members to those that wait to be written.
func (p *Progress) merge(members []any) {
	for i := 0; i < len(members); i += 2 {
		found := false
		for j := 0; j < len(p.members); j += 2 {
			if p.members[j] == members[i] {
				p.members[j+1], found = members[i+1], true
			}
		}
		if !found {
			p.members = append(p.members, members[i], members[i+1])
		}
	}
}

// later writes what waits. The next call of a method returns its error.
func (p *Progress) later() {
	err := onlyKilled(p.write(p.ctx))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// write writes what waits.
func (p *Progress) write(ctx context.Context) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.mu.Lock()
	members := p.members
	p.members, p.last = nil, time.Now()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.mu.Unlock()
	if len(members) == 0 {
		return nil
	}
	isKilled, err := p.policy.storeOf(p.client).SetStatus(ctx, p.status, members...)
	switch {
	case err != nil:
		p.mu.Lock()
		defer p.mu.Unlock()
		newer := p.members
		p.members = members
		p.merge(newer)
		return fmt.Errorf("status: %w", err)
	case isKilled:
		return resque.ErrKilled
	}
	return nil
}

// finish leaves what waits for the end of the job when the handler has returned nil, so that
// both are written in one step. In a child process it writes it. There a job does not fail
// because its progress could not be written, unless it set the end of its status.
func (p *Progress) finish(ctx context.Context) error {
	p.stop()
	if notes, ok := policy.NotesFromContext(ctx); ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		notes.SetStatus(p.members)
		return nil
	}
	p.mu.Lock()
	waits, ends := len(p.members) > 0, false
	for i := 0; i < len(p.members); i += 2 {
		ends = ends || p.members[i] == "status" && string(p.members[i+1].([]byte)) == string(quoted(Failed))
	}
	p.mu.Unlock()
	if !waits || p.client == nil || p.client.Redis() == nil {
		return nil
	}
	err := p.write(context.WithoutCancel(ctx))
	if !ends || errors.Is(err, resque.ErrKilled) {
		return nil
	}
	return err
}

// stop stops the writes that come later.
func (p *Progress) stop() {
	p.mu.Lock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.mu.Unlock()
	p.writing.Lock() // until the last one has ended
	defer p.writing.Unlock()
}

// killed returns resque.ErrKilled if the job was told so, or why its context has ended.
func killed(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return ctx.Err()
}
