package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// run is one job in hand. Whoever takes it out of its slot says how it ended:
// the slot when the performer has returned, or who no longer waits for that.
type run struct {
	reserved store.Reserved
	job      *resque.Reserved
	class    string // the job's; a middleware may change that one
	started  time.Time
	quiet    bool // its line in the log is not wanted: nobody is to pay for its words
	cancel   context.CancelCauseFunc
	release  func() // of its time limit
	killed   chan struct{}
	kill     func() // closes killed, which ends its child at once; nil without a child

	// Of the slot's lock.
	stopping bool        // it was ended because the worker stops
	alarm    *time.Timer // tells that it goes on although it was ended
}

// begin takes a reserved job in hand. ok is false when the worker has begun to
// stop: whoever ends the jobs in hand looks after that, and would miss this one.
func (s *slot) begin(ctx context.Context, r store.Reserved, job *resque.Reserved) (during context.Context, in *run, ok bool) {
	in = &run{reserved: r, job: job, class: job.Class, started: time.Now()}
	in.quiet = !s.log.Enabled(ctx, slog.LevelInfo)
	during, in.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	during, in.release = s.limits.watch(during, job)
	if s.performer.kills() {
		in.killed = make(chan struct{})
		in.kill = sync.OnceFunc(func() { close(in.killed) })
	}
	if s.log.Enabled(ctx, slog.LevelDebug) { // who does not want it is not to pay for its words
		s.log.Debug("job started", "class", job.Class, "queue", job.Queue, "worker", r.Worker)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		in.release()
		in.cancel(nil)
		return nil, nil, false
	}
	s.run = in
	s.changed.beat()
	return during, in, true
}

// take takes a run out of the slot. It fails when somebody else has.
func (s *slot) take(in *run) bool {
	s.mu.Lock()
	taken := s.run == in
	if taken {
		s.run = nil
		s.changed.beat()
	}
	alarm := in.alarm
	s.mu.Unlock()
	in.release()
	in.cancel(nil)
	s.limits.silence(alarm)
	return taken
}

// interrupt ends the context of the job in hand, if there is one.
func (s *slot) interrupt(stopping bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.run
	if in == nil {
		return
	}
	in.stopping = in.stopping || stopping
	in.cancel(resque.ErrTerm)
	if in.alarm == nil && in.kill == nil && !stopping {
		in.alarm = s.limits.alarm(in.job, 0)
	}
}

// kill ends the child of the job in hand, where it has one, or the wait for one.
func (s *slot) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run != nil && s.run.kill != nil {
		s.run.kill()
		s.run.cancel(resque.ErrTerm)
	}
}

// requeues tells whether a job that is ended goes back to its queue.
func (s *slot) requeues(in *run) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return in.stopping && s.cfg.OnShutdown == RequeueInterrupted
}

// giveUp waits no longer for the job in hand: a child is killed, and a handler
// of this process left to itself while another goroutine goes on with the slot's
// life, which is to record how the job ended.
func (s *slot) giveUp() {
	s.mu.Lock()
	in := s.run
	if in == nil {
		s.mu.Unlock()
		return
	}
	in.stopping = true
	if in.kill != nil {
		in.kill()
		in.cancel(resque.ErrTerm) // there may be none yet, but the wait for one
		s.mu.Unlock()
		return
	}
	s.run = nil
	s.changed.beat()
	s.mu.Unlock()
	in.cancel(resque.ErrTerm)
	s.goOn(func(ctx context.Context) *ending { return s.fail(ctx, in, errStillProcessed) })
}
