package worker

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/fork"
	"github.com/goresque/goresque/resque"
)

// ErrNoQueues is returned by New for a worker without a queue.
//
// Ruby: Resque::NoQueueError of Resque::Worker#validate_queues.
var ErrNoQueues = errors.New("worker: give each worker at least one queue")

// Config is how a worker works. Only Queues must be given.
type Config struct {
	// Queues are the names of the queues to work, the first with a job wins.
	// A name with *, ?, [ or ] is a pattern for all known queues, taken in
	// alphabetical order, new ones included while the worker runs; one that
	// begins with ! keeps queues out of the patterns.
	//
	// Ruby: Resque::Worker#queues.
	Queues []string

	// Concurrency is how many jobs run at once, each in a slot that other
	// Resque programs see as a worker of its own.
	//
	// Defaults to 1.
	Concurrency int

	// PollInterval is how long an idle worker waits before it looks again, when
	// nothing has told it of a job before (see MaxWaiting).
	//
	// Defaults to 5 seconds, as in Resque.
	PollInterval time.Duration

	// MinPollInterval and MaxPollInterval bound the wait where it is to vary:
	// it begins at the least after a job, and each look that finds nothing adds
	// PollBackoff, up to the most.
	//
	// Default to PollInterval; PollBackoff to 100 ms.
	//
	// Ruby: MIN_INTERVAL, MAX_INTERVAL and BACKOFF_INTERVAL.
	MinPollInterval, MaxPollInterval, PollBackoff time.Duration

	// MaxWaiting is how many connections an idle worker may use to be told of
	// jobs at once instead of at its next look. Where Redis can track keys, two
	// do for any number of queues; where it cannot, each queue wants one, and
	// the queues beyond are polled. Negative means none: polling alone.
	//
	// Defaults to 16.
	MaxWaiting int

	// UntilEmpty ends Run once no job is waiting and none is in hand, which could
	// enqueue more. What waits on a paused queue is left there. With PutBackUnknown
	// it ends, too, once 32 jobs in a row were put back, whatever is behind them.
	//
	// Ruby: an INTERVAL of 0.
	UntilEmpty bool

	// HeartbeatInterval is how often the worker says that it is alive.
	//
	// Defaults to 60 seconds, as in Resque.
	HeartbeatInterval time.Duration

	// PruneAfter is how long a worker may be silent before others take it for
	// dead and settle its job.
	//
	// Defaults to 5 minutes, as in Resque.
	PruneAfter time.Duration

	// OnCrash is what becomes of a job whose worker died.
	//
	// Defaults to FailCrashed, as in Resque.
	OnCrash OnCrash

	// CrashLimit is how many workers a job may take with it, within a day, before
	// RequeueCrashed gives it up and it fails.
	//
	// Defaults to 3.
	CrashLimit int

	// UnknownClass is what becomes of a job whose class has no handler here.
	//
	// Defaults to FailUnknown, as in Resque.
	UnknownClass UnknownClass

	// Timeout ends the context of a job that takes longer. A class's own (see
	// resque.Route) wins. A job that goes on all the same is reported in the
	// log and counted by Worker.Stuck.
	//
	// Defaults to 0, none.
	Timeout time.Duration

	// TermChild has a worker that stops end the jobs in hand: after
	// PreShutdownTimeout their contexts end with resque.ErrTerm as the cause,
	// and what is left after TermTimeout more is given up and recorded as
	// Resque::DirtyExit. Without it a worker that stops waits for its jobs,
	// where they run in its process, and kills the children where they do not.
	//
	// Ruby: TERM_CHILD.
	TermChild bool

	// PreShutdownTimeout is how long the jobs in hand may go on before they are
	// ended. Needs TermChild.
	//
	// Ruby: RESQUE_PRE_SHUTDOWN_TIMEOUT.
	PreShutdownTimeout time.Duration

	// TermTimeout is how long a job may go on after it was told to end. A child
	// is then killed, also after Worker.EndJobs and a Timeout.
	//
	// Defaults to 4 seconds, as in Resque.
	//
	// Ruby: RESQUE_TERM_TIMEOUT.
	TermTimeout time.Duration

	// GracefulTerm has the end of Run's context, and TERM, finish the jobs in
	// hand without a limit, whatever else is set.
	//
	// Ruby: GRACEFUL_TERM.
	GracefulTerm bool

	// OnShutdown is what becomes of a job that is ended because the worker stops.
	//
	// Defaults to FailInterrupted, as in Resque.
	OnShutdown OnShutdown

	// ForkPerJob performs each job in a process of its own: this program,
	// started again, which must call ServeChild (see there). Unix only.
	//
	// Ruby: FORK_PER_JOB, on by default there.
	ForkPerJob bool

	// JobsPerChild and ChildLifetime let a child perform several jobs before it
	// is replaced: so many, or until its age exceeds so much.
	//
	// Default to 1 and to no limit of age; where only ChildLifetime is set, to no
	// limit of jobs.
	//
	// Ruby: JOBS_PER_FORK and MINUTES_PER_FORK of resque-multi-job-forks.
	JobsPerChild  int
	ChildLifetime time.Duration

	// Hooks are called as the worker works.
	Hooks Hooks

	// OnState is told what the worker is doing whenever that has changed, at most
	// every 250 ms, so that a job may begin and end untold; what holds for longer
	// is told. It is called by one goroutine at a time while Run runs, and holds
	// up no job. It is for displays such as the command's process title.
	OnState func(State)

	// FailureLists are the lists in Redis where failures are recorded, in the
	// same step in which the job's end is.
	//
	// Defaults to resque.FailuresTogether, the list "failed".
	//
	// Ruby: Resque::Failure.backend=, and FAILURE_BACKEND.
	FailureLists resque.FailureLists

	// FailureBackends are told of each failure, too, before it is recorded,
	// which waits for them for at most 5 seconds.
	FailureBackends []resque.FailureBackend

	// Logger gets one line a job and one for each change of state.
	//
	// Defaults to slog.Default().
	Logger *slog.Logger
}

// OnCrash is what becomes of a job whose worker died.
type OnCrash int

// What can become of a job whose worker died.
const (
	// FailCrashed records a failure, Resque::PruneDeadWorkerDirtyExit.
	FailCrashed OnCrash = iota
	// RequeueCrashed puts the job back at the front of its queue, up to
	// CrashLimit times.
	RequeueCrashed
)

// OnShutdown is what becomes of a job that is ended because its worker stops.
type OnShutdown int

// What can become of a job that is ended because its worker stops.
const (
	// FailInterrupted records a failure: Resque::TermException where the job
	// obeyed, Resque::DirtyExit where it did not.
	FailInterrupted OnShutdown = iota
	// RequeueInterrupted puts the job back at the front of its queue, as it was.
	// Nothing is counted.
	RequeueInterrupted
)

// UnknownClass is what becomes of a job whose class has no handler.
type UnknownClass int

// What can become of a job whose class has no handler.
const (
	// FailUnknown records a failure, NameError in Ruby's words.
	FailUnknown UnknownClass = iota
	// PutBackUnknown puts the job at the end of its queue, for workers that
	// know the class: for deploys that roll. The queue then comes last until
	// another job is performed.
	PutBackUnknown
)

// exchange is how the worker's slots meet Redis. Patterns are matched with known
// queues that are no older than queuesMaxAge.
func (c Config) exchange(queuesMaxAge time.Duration, changed func()) exchange.Config {
	return exchange.Config{
		Queues: c.Queues, QueuesMaxAge: queuesMaxAge, Slots: c.Concurrency, UntilEmpty: c.UntilEmpty,
		PollInterval: c.PollInterval, MinPollInterval: c.MinPollInterval, MaxPollInterval: c.MaxPollInterval, PollBackoff: c.PollBackoff,
		MaxWaiting: c.MaxWaiting, LeaveTimeout: leaveTimeout, Changed: changed, Logger: c.Logger,
	}
}

// children is how the worker uses its child processes.
func (c Config) children(changed func()) fork.Config {
	return fork.Config{
		JobsPerChild: c.JobsPerChild, Lifetime: c.ChildLifetime, StopTimeout: c.TermTimeout,
		Changed: changed, Logger: c.Logger,
	}
}

// withDefaults returns c with its gaps filled, or all its mistakes.
func (c Config) withDefaults() (Config, error) {
	var mistakes []error
	c.Queues = slices.Clone(c.Queues)
	for i, q := range c.Queues {
		c.Queues[i] = strings.TrimSpace(q)
	}
	c.Queues = slices.DeleteFunc(c.Queues, func(q string) bool { return q == "" })
	if !slices.ContainsFunc(c.Queues, func(q string) bool { return q[0] != '!' }) {
		mistakes = append(mistakes, ErrNoQueues)
	}
	if c.Concurrency < 0 {
		mistakes = append(mistakes, fmt.Errorf("worker: Concurrency is %d; it must be at least 1", c.Concurrency))
	}
	if c.JobsPerChild < 0 {
		mistakes = append(mistakes, fmt.Errorf("worker: JobsPerChild is %d; it must be at least 1", c.JobsPerChild))
	}
	if c.ForkPerJob && !fork.Supported {
		mistakes = append(mistakes, errors.New("worker: ForkPerJob needs a Unix system"))
	}
	if c.CrashLimit < 0 {
		mistakes = append(mistakes, fmt.Errorf("worker: CrashLimit is %d; it must not be negative", c.CrashLimit))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"PollInterval", c.PollInterval},
		{"MinPollInterval", c.MinPollInterval},
		{"MaxPollInterval", c.MaxPollInterval},
		{"PollBackoff", c.PollBackoff},
		{"HeartbeatInterval", c.HeartbeatInterval},
		{"PruneAfter", c.PruneAfter},
		{"Timeout", c.Timeout},
		{"PreShutdownTimeout", c.PreShutdownTimeout},
		{"TermTimeout", c.TermTimeout},
		{"ChildLifetime", c.ChildLifetime},
	} {
		if d.value < 0 {
			mistakes = append(mistakes, fmt.Errorf("worker: %s is %v; it must not be negative", d.name, d.value))
		}
	}
	c.FailureBackends = slices.Clone(c.FailureBackends)
	if slices.Contains(c.FailureBackends, nil) {
		mistakes = append(mistakes, errors.New("worker: a FailureBackend is nil"))
	}
	c.FailureLists = cmp.Or(c.FailureLists, resque.FailuresTogether)
	c.Concurrency = cmp.Or(c.Concurrency, 1)
	c.PollInterval = cmp.Or(c.PollInterval, 5*time.Second)
	c.MaxPollInterval = cmp.Or(c.MaxPollInterval, c.PollInterval)
	c.MinPollInterval = min(cmp.Or(c.MinPollInterval, c.PollInterval), c.MaxPollInterval)
	c.PollBackoff = min(cmp.Or(c.PollBackoff, 100*time.Millisecond), c.MaxPollInterval)
	c.PollInterval = min(max(c.PollInterval, c.MinPollInterval), c.MaxPollInterval)
	c.MaxWaiting = cmp.Or(c.MaxWaiting, 16)
	c.HeartbeatInterval = cmp.Or(c.HeartbeatInterval, time.Minute)
	c.PruneAfter = cmp.Or(c.PruneAfter, 5*time.Minute)
	if c.HeartbeatInterval >= c.PruneAfter {
		mistakes = append(mistakes, fmt.Errorf(
			"worker: HeartbeatInterval is %v; it must be shorter than PruneAfter, which is %v, or live workers are taken for dead",
			c.HeartbeatInterval, c.PruneAfter))
	}
	c.CrashLimit = cmp.Or(c.CrashLimit, 3)
	c.TermTimeout = cmp.Or(c.TermTimeout, 4*time.Second)
	if c.JobsPerChild == 0 && c.ChildLifetime > 0 {
		c.JobsPerChild = math.MaxInt
	}
	c.JobsPerChild = cmp.Or(c.JobsPerChild, 1)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c, errors.Join(mistakes...)
}
