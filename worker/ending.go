package worker

import (
	"context"
	"errors"
	"time"

	"github.com/goresque/goresque/resque"
)

// fail is end for an error of which the job's failure hooks have not been told.
// They get ctx.
func (s *slot) fail(ctx context.Context, in *run, err error) *ending {
	if s.handsBack(in, err) || isDontPerform(err) {
		return s.end(in, err)
	}
	return s.end(in, resque.FailureHooks(resque.WithReserved(ctx, in.job), s.handler, in.job, err))
}

// end chooses how a job ends and writes the job's one line to the log.
func (s *slot) end(in *run, err error) *ending {
	if err == nil && in.quiet {
		return s.outcomes.done(in.reserved)
	}
	now := time.Now()
	attrs := []any{"class", in.job.Class, "queue", in.job.Queue, "worker", in.reserved.Worker, "duration", now.Sub(in.started)}
	switch {
	case err == nil:
		s.log.Info("job done", attrs...)
		return s.outcomes.done(in.reserved)
	case isDontPerform(err):
		s.log.Info("job not performed: a hook said so", attrs...)
		return s.outcomes.done(in.reserved)
	case s.handsBack(in, err):
		s.log.Info("job put back: the worker is stopping", attrs...)
		return s.outcomes.unstarted(in.reserved)
	}
	s.log.Error("job failed", append(attrs, "err", err)...)
	failure := resque.NewFailure(in.job, err, now)
	if isDirtyExit(err) {
		return s.outcomes.cutOff(in.reserved, failure)
	}
	return s.outcomes.failed(in.reserved, failure)
}

// handsBack tells whether a job that was ended because the worker stops goes
// back to its queue.
func (s *slot) handsBack(in *run, err error) bool {
	return in.stopping && s.cfg.OnShutdown == RequeueInterrupted && (isTerm(err) || isDirtyExit(err))
}

// The errors of users have methods that may panic; NewFailure minds that, too.

func isTerm(err error) bool { return safely(func() bool { return errors.Is(err, resque.ErrTerm) }) }

func isDontPerform(err error) bool {
	return safely(func() bool { return errors.Is(err, resque.ErrDontPerform) })
}

func isDirtyExit(err error) bool {
	var dirty *resque.DirtyExitError
	return safely(func() bool { return errors.As(err, &dirty) })
}

func safely(is func() bool) (yes bool) {
	defer func() { _ = recover() }()
	return is()
}
