package fork

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Slot performs jobs in children, one at a time. Only one goroutine may use it; PID is
// safe for concurrent use.
//
// Ruby: Resque::Worker#perform_with_fork.
type Slot struct {
	pool *Pool
	kept *child       // a child that has performed a job and may perform more
	pid  atomic.Int64 // of the child that performs a job; 0 if there is none
}

// Slot returns a slot that takes its children from the pool.
func (p *Pool) Slot() *Slot { return &Slot{pool: p} }

// ErrNotBegun is the error of a job that no child has begun.
var ErrNotBegun = errors.New("the job was not begun")

// maxTries is how many children may end before one has begun a job. The job may be the
// cause, for example if it is too large for a child's memory.
const maxTries = 5

// Perform performs job in a child and returns the child's report. The error is
// ErrNotBegun if ctx ends or killed is closed before a child has begun the job, and an
// *EndedError if the child ends before the job.
//
// When ctx ends, stop is called once, and its result is sent to the child. If the result
// is nil, nothing is sent, because the child knows the time limit of its job. If the job
// continues for longer than StopTimeout, the child is killed. When killed is closed, the
// child is killed at once.
func (s *Slot) Perform(ctx context.Context, killed <-chan struct{}, job Job, stop func() *Stop) (Report, error) {
	for tries := 1; ; tries++ {
		c, ok := s.take(ctx)
		if !ok {
			return Report{}, ErrNotBegun
		}
		unwatch := c.killOn(killed)
		report, err := s.perform(ctx, killed, c, job, stop)
		unwatch()
		s.leave(c, err == nil)
		if !errors.Is(err, ErrNotBegun) || ctx.Err() != nil || isClosed(killed) {
			return report, err
		}
		if tries == maxTries {
			return Report{}, c.endedError()
		}
	}
}

// PID returns the process id of the child that performs a job, 0 if there is none. It is
// safe for concurrent use.
func (s *Slot) PID() int { return int(s.pid.Load()) }

// Close ends the child that the slot keeps.
func (s *Slot) Close() {
	if s.kept != nil {
		s.kept.retire()
		s.kept = nil
	}
}

// take returns the child for the next job: the kept one, or one from the pool. It
// returns false if ctx ends first.
func (s *Slot) take(ctx context.Context) (*child, bool) {
	c := s.kept
	s.kept = nil
	if c != nil && s.isOld(c) {
		c.retire()
		c = nil
	}
	if c == nil {
		var ok bool
		if c, ok = s.pool.take(ctx); !ok {
			return nil, false
		}
	}
	s.pid.Store(int64(c.cmd.Process.Pid))
	s.pool.cfg.Changed()
	return c, true
}

// leave keeps the child for the next job if it has performed this one, or ends it.
func (s *Slot) leave(c *child, performed bool) {
	s.pid.Store(0)
	if performed && !s.isOld(c) {
		s.kept = c
		return
	}
	c.retire()
}

// isOld reports whether a child must get no more jobs.
func (s *Slot) isOld(c *child) bool {
	cfg := &s.pool.cfg
	return c.jobs >= cfg.JobsPerChild || cfg.Lifetime > 0 && time.Since(c.started) >= cfg.Lifetime
}

// perform sends the job to the child and waits until it has ended.
func (s *Slot) perform(ctx context.Context, killed <-chan struct{}, c *child, job Job, stop func() *Stop) (Report, error) {
	if err := writeFrame(c.to, frameJob, job, job.Payload); err != nil {
		c.kill() // it does not read
	}
	c.jobs++
	begun, ended := false, ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case f, ok := <-c.frames:
			switch {
			case ok && f.kind == frameAccepted:
				begun = true
			case ok && f.kind == frameEnded:
				return f.Report, nil
			case ok: // a job has written a frame to the pipe
			case !begun:
				return Report{}, ErrNotBegun
			default:
				return Report{}, c.endedError()
			}
		case <-ended:
			ended = nil
			if isClosed(killed) { // telling it to stop would let it begin to
				c.kill()
				continue
			}
			if message := stop(); message != nil {
				_ = writeFrame(c.to, frameStop, message, nil) // a child that does not read is killed
			}
			late = time.After(s.pool.cfg.StopTimeout)
		case <-late:
			c.kill()
		}
	}
}
