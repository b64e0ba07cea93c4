package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/fork"
	"github.com/goresque/goresque/resque"
)

// IsChild reports whether this process was started by a worker with ForkPerJob to
// perform jobs. A program with such a worker calls it when its flags are read and
// its mux is made, before it listens, migrates or starts anything else:
//
//	if worker.IsChild() {
//		return worker.ServeChild(ctx, mux)
//	}
//
// A test binary calls it in TestMain.
func IsChild() bool { return fork.IsChild() }

// ServeChild performs the jobs that the worker hands to this child. It returns
// when there are no more, and ends the process if the worker ends during a job.
// The child acts on no signal but KILL: its worker tells it to end a job. The end
// of ctx therefore does nothing; its values reach the jobs.
//
// Ruby: Resque::Worker#perform in the fork.
func ServeChild(ctx context.Context, handler resque.Handler) error {
	err := fork.Serve(context.WithoutCancel(ctx), resque.ErrTerm, func(ctx context.Context, job fork.Job, returns func() bool) fork.Report {
		return performInChild(ctx, handler, job, returns)
	})
	if err != nil {
		return fmt.Errorf("worker: serving as a child: %w", err)
	}
	return nil
}

// performInChild performs one job, in its own goroutine because of runtime.Goexit.
func performInChild(ctx context.Context, handler resque.Handler, given fork.Job, returns func() bool) fork.Report {
	job, err := resque.ParsePayload(given.Queue, given.Payload)
	if err != nil { // the worker could read it
		return reportOf(&resque.Payload{Queue: given.Queue, Raw: given.Payload}, false, err)
	}
	job.Worker = given.Worker
	outer := job
	if job, err = resque.Unwrap(handler, outer); err != nil { // so could the worker
		return reportOf(outer, false, err)
	}
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
	if err != nil && !unknown && !isDontPerform(err) && !returned {
		err = resque.FailureHooks(resque.WithPayload(context.WithoutCancel(ctx), job), handler, job, err)
	}
	return reportOf(job, unknown, err)
}

type childKey struct{}

func withChild(ctx context.Context) context.Context { return context.WithValue(ctx, childKey{}, true) }

// AfterFork is middleware that calls hook before each job that a child performs,
// in the child. An error fails the job. Workers without ForkPerJob do not call
// hook.
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

// reportOf describes how a job ended, for the worker.
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

// reported is the error that a child reported of a job of class.
func reported(r fork.Report, class string) error {
	switch {
	case r.OK:
		return nil
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

// childError is the error of a job that a child performed.
type childError struct{ report fork.Report }

func (e *childError) Error() string         { return e.report.Error }
func (e *childError) ExceptionName() string { return e.report.Exception }
func (e *childError) Backtrace() []string   { return e.report.Backtrace }

// Is reports whether the job ended because it was told to, for resque.ErrTerm.
func (e *childError) Is(target error) bool { return target == resque.ErrTerm && e.report.Term }

// inChild performs a slot's jobs in child processes. The worker alone reserves and
// finishes.
type inChild struct {
	children   *fork.Slot
	timeouts   timeouts
	beforeFork func(ctx context.Context, job *resque.Payload) error
}

func (p *inChild) perform(ctx context.Context, job *resque.Payload, killed <-chan struct{}, returns func() bool) (hooked bool, err error) {
	if p.beforeFork != nil {
		if err := guard(func() error { return p.beforeFork(ctx, job) }); err != nil {
			return false, fmt.Errorf("before the fork: %w", err)
		}
	}
	given := fork.Job{Queue: job.Queue, Worker: job.Worker, Timeout: p.timeouts.limit(job.Class), Payload: job.Raw}
	report, err := p.children.Perform(ctx, killed, given, func() *fork.Stop {
		if !errors.Is(context.Cause(ctx), resque.ErrTerm) {
			return nil // the child knows its time limit itself
		}
		return &fork.Stop{Returns: returns()}
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
	default:
		return false, &resque.DirtyExitError{Message: ended.Error()}
	}
}

func (p *inChild) kills() bool { return true }
func (p *inChild) pid() int    { return p.children.PID() }
func (p *inChild) close()      { p.children.Close() }
