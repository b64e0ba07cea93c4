package worker

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/goresque/goresque/resque"
)

// Hooks are called in the worker's own process, whether jobs run there or in
// children; docs/hooks.md has them beside Ruby's. Any may be nil. A panic in one
// that returns no error is logged and changes nothing.
type Hooks struct {
	// BeforeFirstFork is called once, before the worker registers and takes
	// jobs. An error ends Run with it.
	//
	// Ruby: Resque.before_first_fork.
	BeforeFirstFork func(ctx context.Context) error

	// BeforeFork is called before each job that is handed to a child. An error
	// fails the job.
	//
	// Ruby: Resque.before_fork.
	BeforeFork func(ctx context.Context, job *resque.Payload) error

	// BeforePause and AfterPause are called by Pause and Resume.
	//
	// Ruby: Resque.before_pause and Resque.after_pause.
	BeforePause, AfterPause func()

	// QueueEmpty is called when the worker has performed jobs and now finds none.
	//
	// Ruby: Resque.queue_empty.
	QueueEmpty func()

	// Shutdown is called once when the worker is told to stop, while jobs may
	// still be in hand.
	//
	// Ruby: Resque.shutdown.
	Shutdown func()

	// WorkerExit is called when the worker has unregistered.
	//
	// Ruby: Resque.worker_exit.
	WorkerExit func()
}

// call calls a hook that cannot change anything.
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

// guard calls a hook whose error counts; its panic is one.
func guard(hook func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &resque.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return hook()
}
