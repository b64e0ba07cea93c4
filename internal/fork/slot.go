package fork

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Slot has jobs performed by children, one at a time. One goroutine uses it, but
// for PID.
//
// Ruby: Resque::Worker#perform_with_fork.
type Slot struct {
	pool *Pool
	kept *child       // has performed a job and may perform more
	pid  atomic.Int64 // of the child that performs; 0 is none
}

// Slot returns a slot whose children come from the pool.
func (p *Pool) Slot() *Slot { return &Slot{pool: p} }

// ErrNotBegun is the end of a job that no child has begun.
var ErrNotBegun = errors.New("the job was not begun")

// maxTries is how many children may end before one has begun a job: the cause may
// be the job, being too large for them.
const maxTries = 5

// Perform has a child perform job and returns the child's report. The error is
// ErrNotBegun if ctx ended or killed was closed before a child had begun the job, and an
// *EndedError if the child ended before the job.
//
// When ctx ends, stop is called once, and what it returns is sent to the child;
// with nil, nothing is: the child knows its time limit itself. A child that goes
// on for longer than StopTimeout is killed. When killed is closed, the
// child is killed at once.
func (s *Slot) Perform(ctx context.Context, killed <-chan struct{}, job Job, stop func() *Stop) (Report, error) {
	for tries := 1; ; tries++ {
		c, ok := s.take(ctx)
		if !ok {
			return Report{}, ErrNotBegun
		}
		unwatch := c.killOn(killed)
		report, err := s.perform(ctx, c, job, stop)
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

// PID is the child that performs the slot's job; 0 is none. It may be called by
// any goroutine.
func (s *Slot) PID() int { return int(s.pid.Load()) }

// Close ends the child that the slot has kept.
func (s *Slot) Close() {
	if s.kept != nil {
		s.kept.retire()
		s.kept = nil
	}
}

// take takes the child that is to perform the next job.
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

// leave keeps a child that has performed its job for the next one, or ends it.
func (s *Slot) leave(c *child, performed bool) {
	s.pid.Store(0)
	if performed && !s.isOld(c) {
		s.kept = c
		return
	}
	c.retire()
}

// isOld reports whether a child gets no more jobs.
func (s *Slot) isOld(c *child) bool {
	cfg := &s.pool.cfg
	return c.jobs >= cfg.JobsPerChild || cfg.Lifetime > 0 && time.Since(c.started) >= cfg.Lifetime
}

// perform hands the job to the child and waits for its end.
func (s *Slot) perform(ctx context.Context, c *child, job Job, stop func() *Stop) (Report, error) {
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
			case ok: // ready: another job has garbled the order of its frames
			case !begun:
				return Report{}, ErrNotBegun
			default:
				return Report{}, c.endedError()
			}
		case <-ended:
			ended = nil
			if told := stop(); told != nil {
				_ = writeFrame(c.to, frameStop, told, nil) // a child that does not read is killed
			}
			late = time.After(s.pool.cfg.StopTimeout)
		case <-late:
			c.kill()
		}
	}
}
