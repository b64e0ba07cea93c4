package worker

import "github.com/goresque/goresque/resque"

// stage is how far a worker has come in stopping.
type stage int

const (
	working      stage = iota
	finishing          // takes no more jobs; those in hand end by themselves
	warning            // those in hand will be told to end
	interrupting       // they were told to
	givenUp            // and are no longer waited for
)

// told does what an order says.
//
// Ruby: Resque::Worker#register_signal_handlers.
func (s *shift) told(o order) {
	switch o {
	case quit:
		s.finish()
	case term:
		if s.cfg.GracefulTerm {
			s.finish()
		} else {
			s.end()
		}
	case interrupt:
		s.end()
	case abort:
		s.finish()
		s.giveUp()
	case endJobs:
		s.endJobs()
	case hold:
		s.pause()
	case resume:
		s.unpause()
	}
}

// finish takes no more jobs.
func (s *shift) finish() {
	if s.stage >= finishing {
		return
	}
	s.stage = finishing
	s.cfg.Logger.Info("worker is stopping: it takes no more jobs")
	s.noMore()
	call(s.cfg.Logger, "Shutdown", s.cfg.Hooks.Shutdown)
}

// end takes no more jobs and ends those in hand, where Config has them end.
func (s *shift) end() {
	s.finish()
	switch {
	case s.stage >= warning:
	case s.cfg.TermChild:
		s.stage = warning
		s.timer.Reset(s.cfg.PreShutdownTimeout)
	case s.cfg.ForkPerJob:
		s.giveUp()
	}
}

// advance goes on with ending the jobs in hand, when the time for it has come.
//
// Ruby: Resque::Worker#new_kill_child.
func (s *shift) advance() {
	switch s.stage { //nolint:exhaustive // no timer runs in the others
	case warning:
		s.stage = interrupting
		for _, slot := range s.staffed() {
			slot.interrupt(true)
		}
		s.timer.Reset(s.cfg.TermTimeout)
	case interrupting:
		s.giveUp()
	}
}

// giveUp waits for the jobs in hand no longer.
func (s *shift) giveUp() {
	s.stage = givenUp
	for _, slot := range s.staffed() {
		slot.giveUp()
	}
}

// endJobs ends the jobs in hand while the worker goes on.
func (s *shift) endJobs() {
	for _, slot := range s.staffed() {
		if s.cfg.ForkPerJob && !s.cfg.TermChild {
			slot.kill()
		} else {
			slot.interrupt(false)
		}
	}
}

// pause takes no jobs until unpause.
//
// Ruby: Resque::Worker#pause_processing.
func (s *shift) pause() {
	if !s.exchange.isHeld() {
		call(s.cfg.Logger, "BeforePause", s.cfg.Hooks.BeforePause)
		s.exchange.hold(true)
		s.cfg.Logger.Info("paused: this worker was told to take no jobs")
	}
}

// unpause takes jobs again. CONT comes from a shell's fg and from systemd's stop,
// too, where nothing was paused.
//
// Ruby: Resque::Worker#unpause_processing.
func (s *shift) unpause() {
	if s.exchange.isHeld() {
		s.exchange.hold(false)
		s.cfg.Logger.Info("resumed: this worker was told to take jobs again")
		call(s.cfg.Logger, "AfterPause", s.cfg.Hooks.AfterPause)
	}
}

// errStillProcessed is the end of a job in this process that did not end when it
// was told to.
//
// Ruby: Resque::Worker#unregister_worker.
var errStillProcessed = &resque.DirtyExitError{Message: "Job still being processed"}
