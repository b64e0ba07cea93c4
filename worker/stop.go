package worker

import (
	"context"
	"sync"
	"time"

	"github.com/goresque/goresque/resque"
)

// order tells a running worker what to do.
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

// Quit makes the worker take no more jobs and finish the running ones, without a
// limit; Run then returns. A later Term or Interrupt has its effect.
//
// Ruby: Resque::Worker#shutdown, on QUIT.
func (w *Worker) Quit() { w.tell(quit) }

// Term makes the worker take no more jobs and wait for the running ones as
// StopTimeout, GracefulTerm and KillChildren of [Config] say; Run then returns. A
// second Term changes nothing.
//
// Ruby: TERM.
func (w *Worker) Term() { w.tell(term) }

// Interrupt is like [Worker.Term], but ignores GracefulTerm.
//
// Ruby: Resque::Worker#shutdown!, on INT.
func (w *Worker) Interrupt() { w.tell(interrupt) }

// Abort ends the contexts of the running jobs, kills child processes, and makes the
// worker wait no longer: Run returns when the jobs are recorded as
// Resque::DirtyExit or, with RequeueInterrupted, returned to their queues. Handlers
// in this process may still be running then.
func (w *Worker) Abort() { w.tell(abort) }

// EndJobs ends the running jobs, and the worker continues. The context of a job in
// this process ends, with [resque.ErrTerm] as the cause; a job that goes on after
// that keeps its slot and is counted by [Worker.Stuck]. The context of a job in a
// child process ends in the same way, and the child is killed if the job goes on
// for longer than StopGrace. With KillChildren the child is killed at once.
//
// Ruby: Resque::Worker#kill_child and #new_kill_child, on USR1.
func (w *Worker) EndJobs() { w.tell(endJobs) }

// Pause makes the worker take no more jobs until [Worker.Resume].
//
// Ruby: Resque::Worker#pause_processing, on USR2.
func (w *Worker) Pause() { w.tell(hold) }

// Resume makes the worker take jobs again after [Worker.Pause].
//
// Ruby: Resque::Worker#unpause_processing, on CONT.
func (w *Worker) Resume() { w.tell(resume) }

// tell sends an order to the current Run, or to the next one.
func (w *Worker) tell(o order) { w.orders.put(o) }

// forgetOrders drops the orders that came too late for the Run that is over, so that
// the next one does not follow them.
func (w *Worker) forgetOrders() { w.orders.takeAll() }

// orders are those that Run has not followed yet. It is safe for concurrent use.
type orders struct {
	mu   sync.Mutex
	all  []order
	came chan struct{} // capacity 1; receives when there are some
}

func newOrders() *orders { return &orders{came: make(chan struct{}, 1)} }

// put adds an order. To follow one twice in a row is the same as to follow it once.
func (o *orders) put(next order) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.all); n == 0 || o.all[n-1] != next {
		o.all = append(o.all, next)
	}
	select {
	case o.came <- struct{}{}:
	default: // it will be received
	}
}

// takeAll returns the orders, in the order in which they came, and removes them.
func (o *orders) takeAll() []order {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.all
	o.all = nil
	select {
	case <-o.came:
	default:
	}
	return all
}

// stage is the progress of a worker's stop.
type stage int

const (
	working      stage = iota
	draining           // takes no more jobs, and waits for the running ones
	warning            // the same until StopTimeout
	interrupting       // their contexts have ended; waits until StopGrace
	givenUp            // waits no longer
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

// follow follows orders until the run is over. The end of Run's context is the
// order term.
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
		case <-s.orders.came:
			for _, o := range s.orders.takeAll() {
				s.do(o)
			}
		case <-s.timer.C:
			s.advance()
		case <-s.exchange.Emptied():
			call(s.cfg.Logger, "QueueEmpty", s.cfg.Hooks.QueueEmpty)
		}
	}
}

// emptiedLast calls QueueEmpty at the end, unless it has been called since the last
// job or the worker was told to stop.
//
// Ruby: Resque::Worker#work, which is still registered then.
func (s *stopper) emptiedLast() {
	if s.exchange.EmptiedLast() && s.stage == working {
		call(s.cfg.Logger, "QueueEmpty", s.cfg.Hooks.QueueEmpty)
	}
}

// do follows an order.
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

// stop takes no more jobs, and starts StopTimeout or kills child processes.
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

// advance goes to the next stage when the timer of the current one has fired.
//
// Ruby: Resque::Worker#new_kill_child.
func (s *stopper) advance() {
	switch s.stage { //nolint:exhaustive // the other stages have no timer
	case warning:
		s.stage = interrupting
		for _, slot := range s.allSlots() {
			slot.interrupt(resque.ErrTerm, true)
		}
		s.timer.Reset(s.cfg.StopGrace)
	case interrupting:
		s.giveUp()
	}
}

// giveUp stops waiting for the running jobs.
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
			slot.interrupt(resque.ErrTerm, false)
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

// resume takes jobs again. A shell's fg and systemd's stop also send CONT, to workers
// that are not paused.
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
func (s *slot) interrupt(cause error, stopping bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		s.interruptLocked(s.running, cause, stopping)
	}
}

func (s *slot) interruptLocked(in *runningJob, cause error, stopping bool) {
	in.stopping = in.stopping || stopping
	in.context.end(cause)
	if in.alarm == nil && in.kill == nil && !stopping {
		in.alarm = s.timeouts.alarm(in.job, 0)
	}
}

// kill kills the child of the running job, or ends the wait for a child.
func (s *slot) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil && s.running.kill != nil {
		s.running.kill()
		s.running.context.end(resque.ErrTerm)
	}
}

// giveUp stops waiting for the running job. It kills a child. A handler in this
// process keeps its goroutine: another goroutine finishes the job and continues
// with the slot's work.
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
		in.context.end(resque.ErrTerm) // the slot may still wait for a child
		s.mu.Unlock()
		return
	}
	s.running = nil
	s.changed.beat()
	s.mu.Unlock()
	in.context.end(resque.ErrTerm)
	s.goOn(func(ctx context.Context) *finished { return s.fail(ctx, in, errStillProcessed) })
}
