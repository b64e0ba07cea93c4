package worker

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/goresque/goresque/resque"
)

// Hooks are functions that a worker calls, always in its own process, even if jobs
// run in child processes. Each may be nil. If a hook returns no error, its panics are
// logged and have no other effect. docs/hooks.md compares the hooks with Ruby's.
type Hooks struct {
	// BeforeFirstFork is called once, before the worker registers. If it returns
	// an error, Run returns that error.
	//
	// Ruby: Resque.before_first_fork.
	BeforeFirstFork func(ctx context.Context) error

	// BeforeFork is called before each job that a child process performs. An
	// error fails the job. Without ForkPerJob it is not called.
	//
	// Ruby: Resque.before_fork.
	BeforeFork func(ctx context.Context, job *resque.Payload) error

	// BeforePause is called before the worker pauses, AfterPause after it has
	// resumed. See [Worker.Pause].
	//
	// Ruby: Resque.before_pause and Resque.after_pause.
	BeforePause, AfterPause func()

	// QueueEmpty is called when the worker finds no job after it has performed
	// some.
	//
	// Ruby: Resque.queue_empty.
	QueueEmpty func()

	// Shutdown is called once, when the worker is told to stop. Jobs may still be
	// running.
	//
	// Ruby: Resque.shutdown.
	Shutdown func()

	// WorkerExit is called at the end of Run, when the worker has unregistered.
	//
	// Ruby: Resque.worker_exit.
	WorkerExit func()
}

// call calls a hook that returns no error. It logs a panic.
func call(log *slog.Logger, name string, hook func()) {
	if hook == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			log.Error("a hook panicked", "hook", name, "err", fmt.Errorf("%v\n%s", v, debug.Stack()))
		}
	}()
	hook()
}

// guard calls a hook that returns an error. It returns a panic as an error.
func guard(hook func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &resque.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return hook()
}
