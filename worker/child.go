package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/fork"
	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/resque"
)

// IsChild reports whether this process is a child process that a worker with
// ForkPerJob started to perform jobs. A program with such a worker calls it after it
// has parsed its flags and made its mux, before it listens, migrates a database or
// starts anything else:
//
//	if worker.IsChild() {
//		return worker.ServeChild(ctx, mux)
//	}
//
// In a test binary, TestMain calls it.
func IsChild() bool { return fork.IsChild() }

// ServeChild performs the jobs that the worker gives to this child process. It
// returns when there are no more, and ends the process if the worker ends during a
// job. The child ignores all signals except KILL, because the worker tells it when
// to end a job. The end of ctx therefore has no effect; jobs get its values.
//
// Ruby: Resque::Worker#perform in the fork.
func ServeChild(ctx context.Context, handler resque.Handler) error {
	err := fork.Serve(context.WithoutCancel(ctx), stopCause, func(ctx context.Context, job fork.Job, returns func() bool) fork.Report {
		return performInChild(ctx, handler, job, returns)
	})
	if err != nil {
		return fmt.Errorf("worker: serving as a child: %w", err)
	}
	return nil
}

// stopCause returns the cause of the end of a job's context in a child. text is the text of
// the cause in the worker.
func stopCause(text string) error {
	for _, cause := range []error{resque.ErrKilled, resque.ErrCanceled} {
		if text == cause.Error() {
			return cause
		}
	}
	return resque.ErrTerm
}

// isStopped reports whether a job was canceled or killed by a person.
func isStopped(cause error) bool { return cause == resque.ErrKilled || cause == resque.ErrCanceled } //nolint:errorlint // causes are not wrapped

// performInChild performs one job. It starts a goroutine for the handler, which may
// call runtime.Goexit.
func performInChild(ctx context.Context, handler resque.Handler, given fork.Job, returns func() bool) fork.Report {
	job, err := resque.ParsePayload(given.Queue, given.Payload)
	if err != nil { // not expected: the worker has parsed it
		return reportOf(&resque.Payload{Queue: given.Queue, Raw: given.Payload}, false, err)
	}
	job.Worker = given.Worker
	outer := job
	if job, err = resque.Unwrap(handler, outer); err != nil { // not expected: the worker has unwrapped it
		return reportOf(outer, false, err)
	}
	class := job.Class // middleware may change that of job
	ctx = withChild(ctx)
	if given.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, given.Timeout, &resque.TimeoutError{Class: job.Class, After: given.Timeout})
		defer stop()
	}
	unknown, err := false, errGoexit
	var performing sync.WaitGroup
	performing.Go(func() { unknown, err = ended(ctx, job.Class, resque.Perform(ctx, handler, job)) })
	performing.Wait()
	returned := returns() && (isTerm(err) || isDirtyExit(err))
	var verdict policy.Verdict
	var wrong error
	if err != nil {
		verdict, wrong = resque.Judge(handler, class, given.Payload, err)
	}
	if err != nil && !unknown && !isDontPerform(err) && !returned && !verdict.Snooze && !verdict.Handled && !verdict.Return {
		err = resque.FailureHooks(resque.WithPayload(context.WithoutCancel(ctx), job), handler, job, err)
	}
	report := reportOf(job, unknown, err)
	report.Final, report.Snooze, report.Wait = verdict.Final, verdict.Snooze, verdict.Wait
	report.Handled, report.Killed, report.Rule, report.Pause = verdict.Handled, verdict.Killed, verdict.Rule, verdict.Pause
	report.Return, report.Progress, report.Interrupted = verdict.Return, verdict.Progress, verdict.Interrupted
	if wrong != nil {
		report.Error += fmt.Sprintf(" (and a policy failed: %v)", wrong)
	}
	return report
}

type childKey struct{}

func withChild(ctx context.Context) context.Context { return context.WithValue(ctx, childKey{}, true) }

// AfterFork returns middleware that calls hook in the child process before each job.
// An error fails the job. Without ForkPerJob hook is not called. AfterFork panics if
// hook is nil.
//
// Ruby: Resque.after_fork.
func AfterFork(hook resque.HandlerFunc) resque.Middleware {
	if hook == nil {
		panic("worker: AfterFork needs a hook, not nil")
	}
	return resque.BeforePerform(func(ctx context.Context, job *resque.Payload) error {
		if ctx.Value(childKey{}) == nil {
			return nil
		}
		return hook(ctx, job)
	})
}

// reportOf returns the report of a job that ended with err.
func reportOf(job *resque.Payload, unknown bool, err error) fork.Report {
	if err == nil {
		return fork.Report{OK: true}
	}
	f := resque.NewFailure(job, err, time.Time{})
	return fork.Report{
		DontPerform: isDontPerform(err), Term: isTerm(err), Dirty: isDirtyExit(err), Unknown: unknown,
		Exception: f.Exception, Error: f.Error, Backtrace: f.Backtrace,
	}
}

// reported returns the error in a child's report of a job of class.
func reported(r fork.Report, class string) error {
	switch {
	case r.OK:
		return nil
	case r.DontPerform && r.Error != resque.ErrDontPerform.Error():
		return &droppedError{r.Error}
	case r.DontPerform:
		return resque.ErrDontPerform
	case r.Unknown:
		return &resque.UnknownClassError{Class: class}
	case r.Dirty && r.Exception == (*resque.DirtyExitError)(nil).ExceptionName():
		return &resque.DirtyExitError{Message: r.Error}
	default:
		return &childError{r}
	}
}

// droppedError is the reason why a child did not perform a job.
type droppedError struct{ reason string }

func (e *droppedError) Error() string        { return e.reason }
func (e *droppedError) Is(target error) bool { return target == resque.ErrDontPerform }

// childError is the error of a job that a child performed.
type childError struct{ report fork.Report }

func (e *childError) verdict() policy.Verdict {
	r := e.report
	return policy.Verdict{
		Final: r.Final, Snooze: r.Snooze, Wait: r.Wait, Handled: r.Handled, Killed: r.Killed, Rule: r.Rule, Pause: r.Pause, Return: r.Return,
		Progress: r.Progress, Interrupted: r.Interrupted,
	}
}

func (e *childError) Error() string         { return e.report.Error }
func (e *childError) ExceptionName() string { return e.report.Exception }
func (e *childError) Backtrace() []string   { return e.report.Backtrace }

// Is reports whether target is resque.ErrTerm and the job ended because it was told
// to.
func (e *childError) Is(target error) bool { return target == resque.ErrTerm && e.report.Term }

// inChild performs a slot's jobs in child processes. Only the worker reserves and
// finishes jobs.
type inChild struct {
	children   *fork.Slot
	timeouts   timeouts
	beforeFork func(ctx context.Context, job *resque.Payload) error
}

func (p *inChild) perform(ctx context.Context, in *runningJob) (hooked bool, err error) {
	job := in.job
	if p.beforeFork != nil {
		if err := guard(func() error { return p.beforeFork(ctx, job) }); err != nil {
			return false, fmt.Errorf("before the fork: %w", err)
		}
	}
	given := fork.Job{Queue: job.Queue, Worker: job.Worker, Timeout: p.timeouts.limit(job.Class), Payload: job.Raw}
	report, err := p.children.Perform(ctx, in.killed, given, func() *fork.Stop {
		cause := context.Cause(ctx)
		if !errors.Is(cause, resque.ErrTerm) && !isStopped(cause) {
			return nil // the child has its own timer for the time limit
		}
		return &fork.Stop{Returns: in.returns(), Cause: cause.Error()}
	})
	var ended *fork.EndedError
	var late *resque.TimeoutError
	switch {
	case err == nil:
		return !report.OK, reported(report, job.Class)
	case !errors.As(err, &ended):
		return false, err
	case errors.As(context.Cause(ctx), &late):
		return false, late
	case isStopped(context.Cause(ctx)):
		return false, context.Cause(ctx)
	default:
		return false, &resque.DirtyExitError{Message: ended.Error()}
	}
}

func (p *inChild) kills() bool { return true }
func (p *inChild) pid() int    { return p.children.PID() }
func (p *inChild) close()      { p.children.Close() }
