package resquetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// MaxFollowing is how many jobs PerformAll and RunUntilIdle perform in addition to those
// that wait when they begin. If there are more, jobs seem to enqueue each other without
// end, and the test is stopped.
const MaxFollowing = 1000

// PerformAll performs the jobs that wait on the given queues, in this order, or on all
// queues in the order of their names. It also performs the jobs that these jobs enqueue,
// until none is left. handler, usually a *resque.Mux, performs them one by one in the
// goroutine of the test, so that it may call t.FailNow. Middleware, hooks, time limits,
// Rails jobs and the recording of failures work as in a worker.
//
// The error joins a *JobError for each job that failed. Any other error stops the test.
func PerformAll(t TB, client *resque.Client, handler resque.Handler, queues ...string) error {
	t.Helper()
	return perform(t, client, handler, worker.Config{Queues: queues}, (*worker.Worker).WorkOff)
}

// RunUntilIdle runs a worker until no job is waiting and none is running, as with
// worker.Config.UntilEmpty. cfg configures the worker. If it has no Queues, the worker
// works all queues; if it has no Logger, the worker logs to the test's log. Handlers run
// in other goroutines, so they must not call t.FailNow.
//
// The error is as for PerformAll.
func RunUntilIdle(t TB, client *resque.Client, handler resque.Handler, cfg worker.Config) error {
	t.Helper()
	cfg.UntilEmpty = true
	return perform(t, client, handler, cfg, (*worker.Worker).Run)
}

// JobError is the error of a job that a test performed.
type JobError struct {
	// Job is the job that failed. Of a Rails job, it is the job inside the wrapper.
	Job *resque.Payload

	// Failure is the failure that was recorded. JobError wraps its Err.
	Failure resque.Failure
}

// Error returns the job, its error and, for a panic, the top of the stack.
func (e *JobError) Error() string {
	text := e.Job.Queue + ": " + jobText(e.Job) + ": " + e.Failure.Error
	var panicked *resque.PanicError
	if errors.As(e.Failure.Err, &panicked) {
		const frames = 5
		text += "\n        " + strings.Join(e.Failure.Backtrace[:min(frames, len(e.Failure.Backtrace))], "\n        ")
	}
	return text
}

// Unwrap returns the error of the handler, or the error that ended the job.
func (e *JobError) Unwrap() error { return e.Failure.Err }

func perform(
	t TB, client *resque.Client, handler resque.Handler, cfg worker.Config, run func(*worker.Worker, context.Context) error,
) error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context())) // for calls in a cleanup
	defer cancel()
	r := &record{handler: handler, tooMany: cancel, most: MaxFollowing + len(Jobs(t, client))}
	if len(cfg.Queues) == 0 {
		cfg.Queues = []string{"*"}
	}
	cfg.Logger = cmp.Or(cfg.Logger, testLogger(t))
	cfg.FailureBackends = append(slices.Clone(cfg.FailureBackends), r)
	var counted resque.Handler
	if handler != nil {
		counted = r
	}
	w, err := worker.New(client, counted, cfg)
	if err != nil {
		fatal(t, "%v", err)
	}
	if err := run(w, ctx); err != nil {
		fatal(t, "%v", err)
	}
	if classes, ok := r.excess(); ok {
		fatal(t, "performed %d jobs and more are waiting: do jobs enqueue each other without end? Performed:%s", r.most, classes)
	}
	return r.err()
}

// testLogger returns a logger that writes to the test's log.
func testLogger(t TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == "worker" || a.Key == "duration") {
				return slog.Attr{}
			}
			return a
		},
	}))
}

type testLog struct{ t TB }

func (l testLog) Write(line []byte) (int, error) {
	l.t.Helper()
	l.t.Logf("%s", bytes.TrimRight(line, "\n"))
	return len(line), nil
}
