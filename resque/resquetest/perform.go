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

// MaxFollowing is how many jobs PerformAll and RunUntilIdle perform beyond those
// that wait when they begin. Then they take it that jobs enqueue each other for
// ever, and end the test.
const MaxFollowing = 1000

// PerformAll performs the jobs that wait on the queues given, in this order, or
// else on all queues in that of their names; also those that they enqueue, until
// none is left. handler, usually a *resque.Mux, performs them one by one in the
// test's own goroutine, where it may call t.FailNow. All else is a worker's:
// middleware, hooks, time limits, Rails' jobs, and what is recorded of each.
//
// The error is that of the jobs that failed, each a *JobError, joined; what else
// goes wrong ends the test.
func PerformAll(t TB, client *resque.Client, handler resque.Handler, queues ...string) error {
	t.Helper()
	return perform(t, client, handler, worker.Config{Queues: queues}, (*worker.Worker).WorkOff)
}

// RunUntilIdle runs a worker until no job waits for it and none is in hand, as
// worker.Config.UntilEmpty has it. cfg is the worker's, but that it works all
// queues where it has none, and logs to the test where it has no Logger. Handlers
// run in goroutines of their own, so t.FailNow is not for them.
//
// The error is PerformAll's.
func RunUntilIdle(t TB, client *resque.Client, handler resque.Handler, cfg worker.Config) error {
	t.Helper()
	cfg.UntilEmpty = true
	return perform(t, client, handler, cfg, (*worker.Worker).Run)
}

// JobError is a job that failed while it was performed for a test.
type JobError struct {
	// Job is the job; that inside, where Rails wrapped it.
	Job *resque.Payload

	// Failure is what is recorded. Its Err is what JobError wraps.
	Failure resque.Failure
}

// Error names the job, its error and, of a panic, where it was.
func (e *JobError) Error() string {
	text := e.Job.Queue + ": " + jobText(e.Job) + ": " + e.Failure.Error
	var panicked *resque.PanicError
	if errors.As(e.Failure.Err, &panicked) {
		const frames = 5
		text += "\n        " + strings.Join(e.Failure.Backtrace[:min(frames, len(e.Failure.Backtrace))], "\n        ")
	}
	return text
}

// Unwrap is the error that the handler returned, or that ended the job.
func (e *JobError) Unwrap() error { return e.Failure.Err }

func perform(
	t TB, client *resque.Client, handler resque.Handler, cfg worker.Config, run func(*worker.Worker, context.Context) error,
) error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context())) // it is called in a cleanup, too
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
		fatal(t, "%d jobs were performed and there are still more: do they enqueue each other? They were:%s", r.most, classes)
	}
	return r.err()
}

// testLogger writes to the test's log, which is shown where the test fails.
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
