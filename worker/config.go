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
	"unicode/utf8"

	"github.com/goresque/goresque/internal/exchange"
	"github.com/goresque/goresque/internal/fnmatch"
	"github.com/goresque/goresque/internal/fork"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// ErrNoQueues is the error of New for a worker without a queue.
//
// Ruby: Resque::NoQueueError of Resque::Worker#validate_queues.
var ErrNoQueues = errors.New("worker: give each worker at least one queue")

// Config configures a worker. Only Queues is required.
type Config struct {
	// Queues are the queues that the worker takes jobs from. The first queue
	// with a job comes first. A name that contains *, ?, [ or ] is a pattern: it
	// stands for the known queues that match it, in alphabetical order,
	// including queues that are created while the worker runs. A name that
	// begins with ! excludes queues from the patterns.
	//
	// Ruby: Resque::Worker#queues.
	Queues []string

	// Concurrency is how many jobs run at once. Each runs in a slot, which other
	// Resque programs see as a worker.
	//
	// Defaults to 1.
	Concurrency int

	// PollInterval is how long an idle worker waits before it looks for jobs
	// again, unless Redis tells it of a job earlier (see MaxWaiting).
	//
	// Defaults to 5 seconds, as in Resque.
	PollInterval time.Duration

	// MinPollInterval and MaxPollInterval make the wait vary. It is
	// MinPollInterval after a job, and PollBackoff longer after each look that
	// finds no job, up to MaxPollInterval.
	//
	// MinPollInterval and MaxPollInterval default to PollInterval, PollBackoff
	// to 100 milliseconds. PollBackoff needs one of the other two.
	//
	// Ruby: MIN_INTERVAL, MAX_INTERVAL and BACKOFF_INTERVAL.
	MinPollInterval, MaxPollInterval, PollBackoff time.Duration

	// MaxWaiting limits the connections on which an idle worker waits for new
	// jobs. If Redis can track keys, two connections are enough for any
	// number of queues. If it cannot, each queue needs a connection, and the
	// worker polls the queues beyond the limit. A negative number means none:
	// the worker only polls.
	//
	// Two more connections wait for news of running jobs that are canceled or
	// killed, if a job has run for a second or has a status. With less than 2 the
	// worker looks every second instead.
	//
	// Defaults to 16.
	MaxWaiting int

	// UntilEmpty makes Run return when no job is waiting and none is running,
	// because a running job could enqueue more. Jobs in paused queues stay
	// there. With PutBackUnknown, Run also returns when 32 jobs in a row were
	// put back, even if other jobs wait behind them.
	//
	// Ruby: an INTERVAL of 0.
	UntilEmpty bool

	// HeartbeatInterval is the time between two heartbeats, which show other
	// workers that this one is alive. It must be shorter than PruneAfter.
	//
	// The worker also looks for dead workers, two to four times per interval. A Go
	// worker is dead if its process is not connected to Redis and this worker has
	// seen it send no heartbeat for two intervals, during which Redis took writes.
	// Workers with other settings than the defaults publish them, and for each
	// worker the longer interval counts. Clocks do not matter.
	//
	// Defaults to 60 seconds, as in Resque.
	//
	// Ruby: Resque.heartbeat_interval.
	HeartbeatInterval time.Duration

	// PruneAfter is how long this worker must have seen a worker of another
	// implementation send no heartbeat before it prunes that worker. The longest
	// PruneAfter of all Go workers counts. If the heartbeat was older than PruneAfter
	// when this worker first saw it, two heartbeat intervals are enough, each at
	// least a minute. If Redis refuses to list its connections, PruneAfter also
	// applies to Go workers.
	//
	// Defaults to 5 minutes, as in Resque.
	//
	// Ruby: Resque.prune_interval.
	PruneAfter time.Duration

	// OnCrash is what happens to a job whose worker died.
	//
	// Defaults to FailCrashed, as in Resque.
	OnCrash OnCrash

	// CrashLimit is how many workers may die within a day while they perform
	// the same job, before it fails. It needs RequeueCrashed.
	//
	// Defaults to 3.
	CrashLimit int

	// UnknownClass is what happens to a job whose class has no handler.
	//
	// Defaults to FailUnknown, as in Resque.
	UnknownClass UnknownClass

	// Timeout limits the time of each job: the job's context then ends. A limit
	// of the job's class (see [resque.Route]) replaces it. A job that continues
	// after that is logged and counted by [Worker.Stuck].
	//
	// Defaults to 0, which means no limit.
	Timeout time.Duration

	// StopTimeout is how long running jobs may go on after the worker was told
	// to stop: by the end of Run's context, by [Worker.Term] or by
	// [Worker.Interrupt]. Then their contexts end, with [resque.ErrTerm] as the
	// cause. After a further StopGrace the worker no longer waits for the jobs
	// that still run. OnShutdown decides what happens to the jobs that were ended.
	//
	// Defaults to 0, which means no limit: the worker finishes its running jobs.
	// For no wait at all, set it to a nanosecond.
	//
	// Ruby: RESQUE_PRE_SHUTDOWN_TIMEOUT, with TERM_CHILD.
	StopTimeout time.Duration

	// StopGrace is how long a job may go on after its context ended. Then a
	// child process is killed: after StopTimeout, [Worker.EndJobs] or a Timeout.
	// A job in this process cannot be killed: after StopTimeout the worker
	// records it as Resque::DirtyExit and leaves its goroutine. StopGrace needs
	// StopTimeout or ForkPerJob.
	//
	// Defaults to 4 seconds, as in Resque.
	//
	// Ruby: RESQUE_TERM_TIMEOUT.
	StopGrace time.Duration

	// OnShutdown is what happens to a job that is ended because the worker
	// stops.
	//
	// Defaults to FailInterrupted, as in Resque.
	OnShutdown OnShutdown

	// GracefulTerm makes the end of Run's context and [Worker.Term] wait for the
	// running jobs without a limit, as [Worker.Quit] does. It needs StopTimeout or
	// KillChildren, which then applies only to [Worker.Interrupt].
	//
	// Ruby: GRACEFUL_TERM.
	GracefulTerm bool

	// RemoteControl lets people with a client of the same Redis, such as the users of the
	// dashboard with the right for workers, tell this worker to take no more jobs, to
	// take jobs again, and to stop: see [resque.Client.TellWorker]. The worker then
	// holds two more connections.
	RemoteControl bool

	// ForkPerJob performs each job in a child process: this program, started
	// again, which must call [ServeChild]. It needs a Unix system.
	//
	// Ruby: FORK_PER_JOB, on by default there.
	ForkPerJob bool

	// KillChildren makes the end of Run's context, [Worker.Term],
	// [Worker.Interrupt] and [Worker.EndJobs] kill the child processes of
	// running jobs at once, without ending the jobs' contexts before. It needs
	// ForkPerJob and excludes StopTimeout.
	//
	// Ruby: a process per job without TERM_CHILD.
	KillChildren bool

	// JobsPerChild and ChildLifetime let a child process perform several jobs:
	// up to JobsPerChild, and none after it is older than ChildLifetime. They
	// need ForkPerJob.
	//
	// JobsPerChild defaults to 1, or to no limit if ChildLifetime is set.
	// ChildLifetime defaults to no limit.
	//
	// Ruby: JOBS_PER_FORK and MINUTES_PER_FORK of resque-multi-job-forks.
	JobsPerChild  int
	ChildLifetime time.Duration

	// Metrics makes the worker write to Redis how many jobs of each class it has
	// performed and how long they took, for the dashboard and
	// [resque.Client.ClassTimes]. It writes every 10 seconds, in one call for all jobs,
	// and a killed worker loses what it has measured since then. Ruby has no such keys.
	//
	// Defaults to false.
	Metrics bool

	// Hooks are functions that the worker calls.
	Hooks Hooks

	// OnState is called with the worker's state after it has changed, at most
	// every 250 milliseconds, so it can miss a short job. It never delays a
	// job, and one goroutine calls it at a time. It is meant for displays such
	// as the command's process title.
	OnState func(State)

	// FailureLists are the lists in Redis in which failures are recorded, in the
	// transaction that finishes the job.
	//
	// Defaults to [resque.FailuresTogether], the list "failed".
	//
	// Ruby: Resque::Failure.backend=, and FAILURE_BACKEND.
	FailureLists resque.FailureLists

	// FailureBackends are also given each failure, before it is recorded in
	// Redis. The worker waits for them for at most 5 seconds.
	FailureBackends []resque.FailureBackend

	// Logger gets one line for each job and for each change of the worker.
	//
	// Defaults to [slog.Default].
	Logger *slog.Logger
}

// OnCrash is what happens to a job whose worker died.
type OnCrash int

// The values of OnCrash.
const (
	// FailCrashed records a failure, Resque::PruneDeadWorkerDirtyExit.
	FailCrashed OnCrash = iota
	// RequeueCrashed returns the job to the front of its queue, unless
	// CrashLimit workers died with it.
	RequeueCrashed
)

// OnShutdown is what happens to a job that is ended because its worker stops.
type OnShutdown int

// The values of OnShutdown.
const (
	// FailInterrupted records a failure: Resque::TermException if the job
	// returned when its context ended, Resque::DirtyExit if it did not.
	FailInterrupted OnShutdown = iota
	// RequeueInterrupted returns the job to the front of its queue, unchanged
	// and not counted. The job runs again, so it must be idempotent.
	RequeueInterrupted
)

// UnknownClass is what happens to a job whose class has no handler.
type UnknownClass int

// The values of UnknownClass.
const (
	// FailUnknown records a failure, a NameError as in Ruby.
	FailUnknown UnknownClass = iota
	// PutBackUnknown puts the job at the end of its queue, for workers that
	// know the class, as in a rolling deploy. This worker then looks at that
	// queue last until it performs another job.
	PutBackUnknown
)

// exchange returns the configuration of the worker's exchange. It matches patterns
// with a list of known queues that is at most queuesMaxAge old.
func (c Config) exchange(queuesMaxAge time.Duration, changed func()) exchange.Config {
	return exchange.Config{
		Queues: c.Queues, QueuesMaxAge: queuesMaxAge, Slots: c.Concurrency, UntilEmpty: c.UntilEmpty,
		PollInterval: c.PollInterval, MinPollInterval: c.MinPollInterval, MaxPollInterval: c.MaxPollInterval, PollBackoff: c.PollBackoff,
		MaxWaiting: c.MaxWaiting, LeaveTimeout: leaveTimeout, Intervals: c.intervals(),
		Changed: changed, Attrs: resque.LogAttrs, Logger: c.Logger,
	}
}

// intervals returns what the worker publishes: its intervals, and the queues that it
// excludes.
func (c Config) intervals() store.Intervals {
	var excluded []string
	for _, q := range c.Queues {
		if strings.HasPrefix(q, "!") {
			excluded = append(excluded, q)
		}
	}
	return store.Intervals{Heartbeat: c.HeartbeatInterval, Prune: c.PruneAfter, Excluded: strings.Join(excluded, ",")}
}

// children returns the configuration of the worker's child processes.
func (c Config) children(changed func()) fork.Config {
	return fork.Config{
		JobsPerChild: c.JobsPerChild, Lifetime: c.ChildLifetime, StopTimeout: c.StopGrace,
		Changed: changed, Logger: c.Logger,
	}
}

// withDefaults returns c with its defaults filled in, or an error that lists all
// its mistakes.
func (c Config) withDefaults() (Config, error) {
	c.Queues = slices.Clone(c.Queues)
	for i, q := range c.Queues {
		c.Queues[i] = strings.TrimSpace(q)
	}
	c.Queues = slices.DeleteFunc(c.Queues, func(q string) bool { return q == "" })
	c.FailureBackends = slices.Clone(c.FailureBackends)
	c.HeartbeatInterval = cmp.Or(c.HeartbeatInterval, store.DefaultIntervals().Heartbeat)
	c.PruneAfter = cmp.Or(c.PruneAfter, store.DefaultIntervals().Prune)
	if err := c.validate(); err != nil {
		return c, err
	}
	c.FailureLists = cmp.Or(c.FailureLists, resque.FailuresTogether)
	c.Concurrency = cmp.Or(c.Concurrency, 1)
	c.PollInterval = cmp.Or(c.PollInterval, 5*time.Second)
	c.MaxPollInterval = cmp.Or(c.MaxPollInterval, c.PollInterval)
	c.MinPollInterval = min(cmp.Or(c.MinPollInterval, c.PollInterval), c.MaxPollInterval)
	c.PollBackoff = min(cmp.Or(c.PollBackoff, 100*time.Millisecond), c.MaxPollInterval)
	c.PollInterval = min(max(c.PollInterval, c.MinPollInterval), c.MaxPollInterval)
	c.MaxWaiting = cmp.Or(c.MaxWaiting, 16)
	c.CrashLimit = cmp.Or(c.CrashLimit, 3)
	c.StopGrace = cmp.Or(c.StopGrace, 4*time.Second)
	if c.JobsPerChild == 0 && c.ChildLifetime > 0 {
		c.JobsPerChild = math.MaxInt
	}
	c.JobsPerChild = cmp.Or(c.JobsPerChild, 1)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c, nil
}

// validate returns all mistakes in c.
func (c Config) validate() error {
	mistakes := []error{c.validateQueues(), c.validateRanges(), c.validateUse()}
	if c.ForkPerJob && !fork.Supported {
		mistakes = append(mistakes, errors.New("worker: ForkPerJob needs a Unix system"))
	}
	if c.HeartbeatInterval >= c.PruneAfter && c.PruneAfter > 0 {
		mistakes = append(mistakes, fmt.Errorf(
			"worker: HeartbeatInterval is %v; it must be shorter than PruneAfter, which is %v, or live workers are pruned",
			c.HeartbeatInterval, c.PruneAfter))
	}
	for i, backend := range c.FailureBackends {
		f, ok := backend.(resque.FailureBackendFunc)
		if backend == nil || (ok && f == nil) {
			mistakes = append(mistakes, fmt.Errorf("worker: FailureBackends[%d] is nil", i))
		}
	}
	return errors.Join(mistakes...)
}

func (c Config) validateQueues() error {
	var mistakes []error
	if !slices.ContainsFunc(c.Queues, func(q string) bool { return q[0] != '!' }) {
		mistakes = append(mistakes, ErrNoQueues)
	}
	for _, q := range c.Queues {
		switch {
		case q == "!":
			mistakes = append(mistakes, errors.New(`worker: the queue name after "!" is missing`))
		case !utf8.ValidString(q):
			mistakes = append(mistakes, fmt.Errorf("worker: queue %q is not valid UTF-8", q))
		case strings.Contains(q, ","): // worker ids separate queues by commas
			mistakes = append(mistakes, fmt.Errorf("worker: queue %q contains a comma: give each queue as an element of Queues", q))
		case !fnmatch.Closed(q):
			mistakes = append(mistakes, fmt.Errorf("worker: queue %q has a [ without a ]: it matches no queue", q))
		}
	}
	return errors.Join(mistakes...)
}

// MinHeartbeatInterval is the least that Config.HeartbeatInterval can be. With less, a worker
// would do little else than send heartbeats.
const MinHeartbeatInterval = 10 * time.Millisecond

// validateRanges returns the values that are out of range.
func (c Config) validateRanges() error {
	var mistakes []error
	for _, n := range []struct {
		name  string
		value int
	}{
		{"Concurrency", c.Concurrency},
		{"CrashLimit", c.CrashLimit},
		{"JobsPerChild", c.JobsPerChild},
	} {
		if n.value < 0 {
			mistakes = append(mistakes, fmt.Errorf("worker: %s is %d; it must not be negative", n.name, n.value))
		}
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
		{"StopTimeout", c.StopTimeout},
		{"StopGrace", c.StopGrace},
		{"ChildLifetime", c.ChildLifetime},
	} {
		if d.value < 0 {
			mistakes = append(mistakes, fmt.Errorf("worker: %s is %v; it must not be negative", d.name, d.value))
		}
	}
	if c.HeartbeatInterval > 0 && c.HeartbeatInterval < MinHeartbeatInterval {
		mistakes = append(mistakes, fmt.Errorf("worker: HeartbeatInterval is %v; it must be at least %v", c.HeartbeatInterval, MinHeartbeatInterval))
	}
	for _, e := range []struct {
		name        string
		value, last int
	}{
		{"OnCrash", int(c.OnCrash), int(RequeueCrashed)},
		{"OnShutdown", int(c.OnShutdown), int(RequeueInterrupted)},
		{"UnknownClass", int(c.UnknownClass), int(PutBackUnknown)},
	} {
		if e.value < 0 || e.value > e.last {
			mistakes = append(mistakes, fmt.Errorf("worker: %s is %d, which is not one of its constants", e.name, e.value))
		}
	}
	return errors.Join(append(mistakes, c.validateFailureLists())...)
}

func (c Config) validateFailureLists() error {
	const lists = resque.FailuresTogether | resque.FailuresByQueue
	switch {
	case c.FailureLists&^(lists|resque.FailuresNowhere) != 0:
		return fmt.Errorf("worker: FailureLists is %d, which is not made of its constants", c.FailureLists)
	case c.FailureLists&lists != 0 && c.FailureLists&resque.FailuresNowhere != 0:
		return errors.New("worker: FailureLists combines FailuresNowhere with lists")
	}
	return nil
}

// validateUse returns the settings that have no effect without another, and those
// that contradict each other.
func (c Config) validateUse() error {
	stops := c.StopTimeout > 0 || c.KillChildren
	var mistakes []error
	for _, s := range []struct {
		name     string
		set, has bool
		needs    string
	}{
		{name: "StopGrace", set: c.StopGrace > 0, has: c.StopTimeout > 0 || c.ForkPerJob, needs: "StopTimeout or ForkPerJob"},
		{name: "GracefulTerm", set: c.GracefulTerm, has: stops, needs: "StopTimeout or KillChildren"},
		{name: "KillChildren", set: c.KillChildren, has: c.ForkPerJob, needs: "ForkPerJob"},
		{name: "JobsPerChild", set: c.JobsPerChild > 0, has: c.ForkPerJob, needs: "ForkPerJob"},
		{name: "ChildLifetime", set: c.ChildLifetime > 0, has: c.ForkPerJob, needs: "ForkPerJob"},
		{name: "CrashLimit", set: c.CrashLimit > 0, has: c.OnCrash == RequeueCrashed, needs: "OnCrash: RequeueCrashed"},
		{name: "PollBackoff", set: c.PollBackoff > 0, has: c.MinPollInterval > 0 || c.MaxPollInterval > 0, needs: "MinPollInterval or MaxPollInterval"},
	} {
		if s.set && !s.has {
			mistakes = append(mistakes, fmt.Errorf("worker: %s has no effect without %s", s.name, s.needs))
		}
	}
	if c.KillChildren && c.StopTimeout > 0 {
		mistakes = append(mistakes, errors.New("worker: StopTimeout has no effect with KillChildren, which kills child processes at once"))
	}
	return errors.Join(mistakes...)
}
