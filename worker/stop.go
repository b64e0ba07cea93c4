package worker

import (
	"context"
	"time"

	"github.com/goresque/goresque/resque"
)

// order is what a running worker is told to do.
type order int

const (
	quit order = iota
	term
	interrupt
	abort
	endJobs
	hold
	resume
)

// Quit takes no more jobs and finishes the running ones, without a limit; Run then
// returns. A Term after it still counts.
//
// Ruby: Resque::Worker#shutdown, on QUIT.
func (w *Worker) Quit() { w.tell(quit) }

// Term takes no more jobs, and waits for the running ones as StopTimeout,
// GracefulTerm and KillChildren of [Config] say; Run then returns. A second Term
// changes nothing.
//
// Ruby: TERM.
func (w *Worker) Term() { w.tell(term) }

// Interrupt stops the worker as Term does, GracefulTerm or not.
//
// Ruby: Resque::Worker#shutdown!, on INT.
func (w *Worker) Interrupt() { w.tell(interrupt) }

// Abort gives up the running jobs at once; Run returns when Redis has their ends.
// Handlers that run in this process go on.
func (w *Worker) Abort() { w.tell(abort) }

// EndJobs ends the running jobs, and the worker goes on. The context of a job in
// this process ends, with [resque.ErrTerm] as the cause; a job that goes on after
// that keeps its slot and is counted by [Worker.Stuck]. The context of a job in a
// child process ends in the same way, and the child is killed if the job goes on
// for longer than StopGrace. With KillChildren the child is killed at once.
//
// Ruby: Resque::Worker#kill_child and #new_kill_child, on USR1.
func (w *Worker) EndJobs() { w.tell(endJobs) }

// Pause takes no more jobs until Resume.
//
// Ruby: Resque::Worker#pause_processing, on USR2.
func (w *Worker) Pause() { w.tell(hold) }

// Resume takes jobs again.
//
// Ruby: Resque::Worker#unpause_processing, on CONT.
func (w *Worker) Resume() { w.tell(resume) }

// tell sends an order to the current Run, or to the next one. Orders that the
// channel has no room for are dropped.
func (w *Worker) tell(o order) {
	select {
	case w.orders <- o:
	default:
	}
}

// forgetOrders drops the orders that came too late: they were for the Run that is
// over, not for the next one.
func (w *Worker) forgetOrders() {
	for {
		select {
		case <-w.orders:
		default:
			return
		}
	}
}

// stage is how far a worker has come in stopping.
type stage int

const (
	working      stage = iota
	draining           // takes no more jobs; the running ones end by themselves
	warning            // the running ones will be told to end
	interrupting       // they were told to
	givenUp            // and the worker waits for them no longer
)

// stopper follows the orders that a run gets. One goroutine uses it.
type stopper struct {
	*run
	drainNow context.CancelFunc
	stage    stage
	timer    *time.Timer // until the next stage
}

func newStopper(r *run, drain context.CancelFunc) *stopper {
	s := &stopper{run: r, drainNow: drain, timer: time.NewTimer(time.Hour)}
	s.timer.Stop()
	return s
}

// follow follows orders until the run is over. The end of Run's context is one.
func (s *stopper) follow(ctx context.Context, over <-chan struct{}) {
	defer s.timer.Stop()
	ended := ctx.Done()
	for {
		select {
		case <-over:
			s.emptiedLast()
			if ended != nil && ctx.Err() != nil { // it ended while a hook was called
				s.drain()
			}
			return
		case heard := <-s.drained:
			s.emptiedLast()
			close(heard)
		case <-ended:
			ended = nil
			s.do(term)
		case o := <-s.orders:
			s.do(o)
		case <-s.timer.C:
			s.advance()
		case <-s.exchange.Emptied():
			call(s.cfg.Logger, "QueueEmpty", s.cfg.Hooks.QueueEmpty)
		}
	}
}

// emptiedLast calls QueueEmpty at the end, if it has not been called since the
// last job, but not after an order to stop.
//
// Ruby: Resque::Worker#work, which is still registered then.
func (s *stopper) emptiedLast() {
	if s.exchange.EmptiedLast() && s.stage == working {
		call(s.cfg.Logger, "QueueEmpty", s.cfg.Hooks.QueueEmpty)
	}
}

// do does what an order says.
//
// Ruby: Resque::Worker#register_signal_handlers.
func (s *stopper) do(o order) {
	switch o {
	case quit:
		s.drain()
	case term:
		if s.cfg.GracefulTerm {
			s.drain()
		} else {
			s.stop()
		}
	case interrupt:
		s.stop()
	case abort:
		s.drain()
		s.giveUp()
	case endJobs:
		s.endJobs()
	case hold:
		s.pause()
	case resume:
		s.resume()
	}
}

// drain takes no more jobs.
func (s *stopper) drain() {
	if s.stage >= draining {
		return
	}
	s.stage = draining
	s.cfg.Logger.Info("worker is stopping: it takes no more jobs")
	s.drainNow()
	call(s.cfg.Logger, "Shutdown", s.cfg.Hooks.Shutdown)
}

// stop takes no more jobs and ends the running ones, if Config says so.
func (s *stopper) stop() {
	s.drain()
	switch {
	case s.stage >= warning:
	case s.cfg.StopTimeout > 0:
		s.stage = warning
		s.timer.Reset(s.cfg.StopTimeout)
	case s.cfg.KillChildren:
		s.giveUp()
	}
}

// advance goes to the next stage, when the time for it has come.
//
// Ruby: Resque::Worker#new_kill_child.
func (s *stopper) advance() {
	switch s.stage { //nolint:exhaustive // no timer runs in the others
	case warning:
		s.stage = interrupting
		for _, slot := range s.allSlots() {
			slot.interrupt(true)
		}
		s.timer.Reset(s.cfg.StopGrace)
	case interrupting:
		s.giveUp()
	}
}

// giveUp waits for the running jobs no longer.
func (s *stopper) giveUp() {
	s.stage = givenUp
	for _, slot := range s.allSlots() {
		slot.giveUp()
	}
}

// endJobs ends the running jobs while the worker goes on.
func (s *stopper) endJobs() {
	for _, slot := range s.allSlots() {
		if s.cfg.KillChildren {
			slot.kill()
		} else {
			slot.interrupt(false)
		}
	}
}

// pause takes no jobs until resume.
//
// Ruby: Resque::Worker#pause_processing.
func (s *stopper) pause() {
	if !s.exchange.IsHeld() {
		call(s.cfg.Logger, "BeforePause", s.cfg.Hooks.BeforePause)
		s.exchange.Hold(true)
		s.cfg.Logger.Info("paused: this worker was told to take no jobs")
	}
}

// resume takes jobs again. CONT also comes from a shell's fg and from systemd's
// stop, when nothing was paused.
//
// Ruby: Resque::Worker#unpause_processing.
func (s *stopper) resume() {
	if s.exchange.IsHeld() {
		s.exchange.Hold(false)
		s.cfg.Logger.Info("resumed: this worker was told to take jobs again")
		call(s.cfg.Logger, "AfterPause", s.cfg.Hooks.AfterPause)
	}
}

// interrupt ends the context of the running job, if there is one.
func (s *slot) interrupt(stopping bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.running
	if in == nil {
		return
	}
	in.stopping = in.stopping || stopping
	in.cancel(resque.ErrTerm)
	if in.alarm == nil && in.kill == nil && !stopping {
		in.alarm = s.timeouts.alarm(in.job, 0)
	}
}

// kill ends the child of the running job, or the wait for a child.
func (s *slot) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil && s.running.kill != nil {
		s.running.kill()
		s.running.cancel(resque.ErrTerm)
	}
}

// giveUp waits no longer for the running job. A child is killed. A handler in this
// process is left behind: another goroutine goes on with the slot's work, and
// begins with the end of this job.
func (s *slot) giveUp() {
	s.mu.Lock()
	in := s.running
	if in == nil {
		s.mu.Unlock()
		return
	}
	in.stopping = true
	if in.kill != nil {
		in.kill()
		in.cancel(resque.ErrTerm) // there may be no child yet, but the wait for one
		s.mu.Unlock()
		return
	}
	s.running = nil
	s.changed.beat()
	s.mu.Unlock()
	in.cancel(resque.ErrTerm)
	s.goOn(func(ctx context.Context) *finished { return s.fail(ctx, in, errStillProcessed) })
}
