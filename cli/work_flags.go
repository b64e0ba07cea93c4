package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// workFlags are the flags of work, which Ruby's variables also set.
type workFlags struct {
	daemon
	health, queues                              string
	concurrency, maxWaiting                     int
	crashLimit                                  count
	interval, minInterval, maxInterval, backoff seconds
	heartbeat, pruneAfter, timeout              seconds
	onCrash, unknownClass, onShutdown, backend  choice
	stop                                        stopFlags
	exec                                        []string
	remote                                      bool
	scheduler, metrics                          truth

	cmd *cobra.Command // whose flags they are
}

// stopFlags configure how work stops and in which process it performs jobs.
type stopFlags struct {
	termChild, gracefulTerm, forkPerJob bool
	termTimeout, preShutdown            seconds
	jobsPerChild, minutesPerChild       int
}

func (f *workFlags) add(cmd *cobra.Command) {
	f.cmd = cmd
	f.interval, f.backoff = seconds{value: 5}, seconds{value: 0.1}
	f.crashLimit = count{value: 3}
	f.heartbeat, f.pruneAfter = seconds{value: 60}, seconds{value: 300}
	f.onCrash = choice{value: "fail", of: []string{"fail", "requeue"}}
	f.unknownClass = choice{value: "fail", of: []string{"fail", "put-back"}}
	f.onShutdown = choice{value: "fail", of: []string{"fail", "requeue"}}
	f.backend = choice{value: "redis", of: backends()}
	set := cmd.Flags()
	f.stop.add(cmd)
	set.StringVarP(&f.queues, "queue", "q", "", "comma-separated queues in order of priority; '*' and other patterns are allowed, '!name' excludes")
	set.IntVarP(&f.concurrency, "concurrency", "c", 1, "number of jobs to perform at the same time")
	set.VarP(&f.interval, "interval", "i", "time between two polls of empty queues; 0 exits when the queues are empty")
	set.Var(&f.minInterval, "min-interval", "shortest time between two polls, used after a job (default: the interval)")
	set.Var(&f.maxInterval, "max-interval", "longest time between two polls (default: the interval)")
	set.Var(&f.backoff, "backoff-interval", "time added after each poll that finds no job; needs --min-interval or --max-interval")
	set.IntVar(&f.maxWaiting, "max-waiting", 16, "maximum number of connections that wait for new jobs; 0 means only poll")
	set.Var(&f.heartbeat, "heartbeat-interval", "time between two heartbeats")
	set.Var(&f.pruneAfter, "prune-interval", "how long this worker must see no heartbeat from a worker of another implementation before it prunes that worker")
	set.Var(&f.onCrash, "on-crash", "what happens to a dead worker's job: fail, or requeue")
	set.Var(&f.crashLimit, "crash-limit", "number of workers that may die in a day while performing the same job before the job fails; needs --on-crash requeue")
	set.Var(&f.unknownClass, "unknown-class", "what happens to a job whose class has no handler: fail, or put-back for other workers")
	set.Var(&f.timeout, "timeout", "how long a job may take (default: no limit)")
	set.Var(&f.onShutdown, "on-shutdown", "what happens to a job that is canceled because the worker stops: fail, or requeue")
	set.Var(&f.backend, "failure-backend", "where failures are recorded: redis (the list failed) or redis_multi_queue (one list per queue)")
	set.StringArrayVar(&f.exec, "exec", nil, "perform a class with a shell command: CLASS=COMMAND; it gets the payload on standard input; may be repeated")
	set.VarPF(&f.scheduler, "scheduler", "", "also move delayed jobs, as 'goresque scheduler' does").NoOptDefVal = "true"
	set.VarPF(&f.metrics, "metrics", "", "write to Redis how long jobs take, by class, for the dashboard").NoOptDefVal = "true"
	set.StringVar(&f.pidfile, "pidfile", "", "file to write the process id to")
	set.BoolVar(&f.remote, "remote-control", false, "let people pause and stop the worker from the dashboard")
	set.BoolVar(&f.background, "background", false, "run in the background")
	f.addLogFile(cmd)
	set.StringVar(&f.health, "health", "", "address for /healthz and /readyz, such as :8080")
	for flag, variables := range map[string][]string{
		"queue":              {"QUEUES", "QUEUE"},
		"concurrency":        {"CONCURRENCY"},
		"interval":           {"INTERVAL"},
		"min-interval":       {"MIN_INTERVAL"},
		"max-interval":       {"MAX_INTERVAL"},
		"backoff-interval":   {"BACKOFF_INTERVAL"},
		"max-waiting":        {"RESQUE_MAX_WAITING"},
		"heartbeat-interval": {"RESQUE_HEARTBEAT_INTERVAL"},
		"prune-interval":     {"RESQUE_PRUNE_INTERVAL"},
		"on-crash":           {"RESQUE_ON_CRASH"},
		"crash-limit":        {"RESQUE_CRASH_LIMIT"},
		"unknown-class":      {"RESQUE_UNKNOWN_CLASS"},
		"timeout":            {"RESQUE_TIMEOUT"},
		"on-shutdown":        {"RESQUE_ON_SHUTDOWN"},
		"failure-backend":    {"FAILURE_BACKEND"},
		"scheduler":          {"RESQUE_SCHEDULER"},
		"metrics":            {"RESQUE_METRICS"},
		"pidfile":            {"PIDFILE"},
		"background":         {"BACKGROUND"},
		"remote-control":     {"RESQUE_REMOTE_CONTROL"},
		"health":             {"RESQUE_HEALTH"},
	} {
		FromEnv(cmd, flag, variables...)
	}
}

func (f *stopFlags) add(cmd *cobra.Command) {
	f.termTimeout = seconds{value: 4}
	set := cmd.Flags()
	set.BoolVar(&f.termChild, "term-child", false, "on TERM and INT, cancel running jobs instead of finishing them")
	set.BoolVar(&f.gracefulTerm, "graceful-term", false, "on TERM, finish running jobs without a time limit")
	set.Var(&f.preShutdown, "pre-shutdown-timeout", "how long running jobs may continue before they are canceled; needs --term-child")
	set.Var(&f.termTimeout, "term-timeout", "how long a canceled job may continue before it is killed or abandoned; needs --term-child, --fork-per-job or --exec")
	set.BoolVar(&f.forkPerJob, "fork-per-job", false, "perform each job in a child process")
	set.IntVar(&f.jobsPerChild, "jobs-per-child", 0, "number of jobs that a child process performs before it is replaced (default 1); implies --fork-per-job")
	set.IntVar(&f.minutesPerChild, "minutes-per-child", 0, "age in minutes at which a child process is replaced; implies --fork-per-job")
	for flag, variables := range map[string][]string{
		"term-child":           {"TERM_CHILD"},
		"graceful-term":        {"GRACEFUL_TERM"},
		"pre-shutdown-timeout": {"RESQUE_PRE_SHUTDOWN_TIMEOUT"},
		"term-timeout":         {"RESQUE_TERM_TIMEOUT"},
		"fork-per-job":         {"FORK_PER_JOB"},
		"jobs-per-child":       {"JOBS_PER_CHILD", "JOBS_PER_FORK"},
		"minutes-per-child":    {"MINUTES_PER_FORK"},
	} {
		FromEnv(cmd, flag, variables...)
	}
}

// apply writes the flags into cfg. exec reports whether jobs are performed by shell
// commands.
func (f *stopFlags) apply(cfg *worker.Config, exec bool) error {
	const mostMinutes = 1_000_000 // two years
	switch {
	case f.jobsPerChild < 0:
		return UsageErrorf("--jobs-per-child (JOBS_PER_CHILD) is %d; it must not be negative", f.jobsPerChild)
	case f.minutesPerChild < 0:
		return UsageErrorf("--minutes-per-child (MINUTES_PER_FORK) is %d; it must not be negative", f.minutesPerChild)
	case f.minutesPerChild > mostMinutes:
		return UsageErrorf("--minutes-per-child (MINUTES_PER_FORK) is %d; it must be at most %d", f.minutesPerChild, mostMinutes)
	}
	fork := f.forkPerJob || f.jobsPerChild > 0 || f.minutesPerChild > 0
	if f.preShutdown.value > 0 && !f.termChild {
		return UsageErrorf("--pre-shutdown-timeout (RESQUE_PRE_SHUTDOWN_TIMEOUT) has no effect without --term-child (TERM_CHILD)")
	}
	if f.termTimeout.given && !f.termChild && !fork && !exec {
		return UsageErrorf("--term-timeout (RESQUE_TERM_TIMEOUT) has no effect without --term-child (TERM_CHILD), --fork-per-job (FORK_PER_JOB) or --exec")
	}
	if f.termChild {
		cfg.StopTimeout = f.preShutdown.positive()
	}
	if f.termChild || fork {
		cfg.StopGrace = f.termTimeout.positive()
		cfg.GracefulTerm = f.gracefulTerm // the default of the others
	}
	cfg.ForkPerJob = fork
	cfg.KillChildren = fork && !f.termChild
	cfg.JobsPerChild = f.jobsPerChild
	cfg.ChildLifetime = time.Duration(f.minutesPerChild) * time.Minute
	return nil
}

// untilEmpty reports whether the wait is 0 within its bounds.
//
// Ruby: Resque::Worker#work, which then returns instead of waiting.
func (f *workFlags) untilEmpty() bool {
	least, most := f.interval.value, f.interval.value
	if f.maxInterval.given {
		most = f.maxInterval.value
	}
	if f.minInterval.given {
		least = f.minInterval.value
	}
	return most == 0 || max(f.interval.value, least) == 0
}

// config returns base with what the flags and their variables give. Flags that belong
// together, such as those about stopping, replace base's settings together.
func (f *workFlags) config(base worker.Config) (worker.Config, error) {
	if strings.Trim(f.queues, " ,") == "" && (f.given("queue") || len(base.Queues) == 0) {
		return worker.Config{}, UsageErrorf("no queue given: use QUEUE=exports %[1]s, or %[1]s --queue exports ('*' means all)", f.cmd.CommandPath())
	}
	flags, err := f.worker()
	if err == nil {
		err = f.check(f.cmd)
	}
	if err != nil {
		return worker.Config{}, err
	}
	cfg := base
	if f.given("queue") || len(cfg.Queues) == 0 {
		cfg.Queues = flags.Queues
	}
	set(&cfg.Concurrency, flags.Concurrency, f.given("concurrency"))
	set(&cfg.MaxWaiting, flags.MaxWaiting, f.given("max-waiting"))
	set(&cfg.HeartbeatInterval, flags.HeartbeatInterval, f.given("heartbeat-interval"))
	set(&cfg.PruneAfter, flags.PruneAfter, f.given("prune-interval"))
	set(&cfg.Timeout, flags.Timeout, f.given("timeout"))
	set(&cfg.UnknownClass, flags.UnknownClass, f.given("unknown-class"))
	set(&cfg.OnShutdown, flags.OnShutdown, f.given("on-shutdown"))
	set(&cfg.FailureLists, flags.FailureLists, f.given("failure-backend"))
	set(&cfg.Metrics, flags.Metrics, f.given("metrics"))
	set(&cfg.RemoteControl, f.remote, f.given("remote-control"))

	crash := f.given("on-crash", "crash-limit")
	set(&cfg.OnCrash, flags.OnCrash, crash)
	set(&cfg.CrashLimit, flags.CrashLimit, crash)

	poll := f.given("interval", "min-interval", "max-interval", "backoff-interval")
	set(&cfg.PollInterval, flags.PollInterval, poll)
	set(&cfg.MinPollInterval, flags.MinPollInterval, poll)
	set(&cfg.MaxPollInterval, flags.MaxPollInterval, poll)
	set(&cfg.PollBackoff, flags.PollBackoff, poll)
	set(&cfg.UntilEmpty, flags.UntilEmpty, poll)

	stop := f.given("term-child", "graceful-term", "pre-shutdown-timeout", "term-timeout", "fork-per-job", "jobs-per-child", "minutes-per-child")
	set(&cfg.StopTimeout, flags.StopTimeout, stop)
	set(&cfg.StopGrace, flags.StopGrace, stop)
	set(&cfg.GracefulTerm, flags.GracefulTerm, stop)
	set(&cfg.ForkPerJob, flags.ForkPerJob, stop)
	set(&cfg.KillChildren, flags.KillChildren, stop)
	set(&cfg.JobsPerChild, flags.JobsPerChild, stop)
	set(&cfg.ChildLifetime, flags.ChildLifetime, stop)
	return cfg, nil
}

// set gives a setting the value of its flag if the flag is given, and the flag's
// default if the setting has no value.
func set[T comparable](setting *T, flag T, given bool) {
	var none T
	if given || *setting == none {
		*setting = flag
	}
}

// given reports whether one of the flags is given, or its variable.
func (f *workFlags) given(flags ...string) bool {
	return slices.ContainsFunc(flags, func(name string) bool { return isGiven(f.cmd.Flag(name)) })
}

// maxConcurrency is the largest number of slots of a process: each has an entry in Redis, and a
// heartbeat writes all of them.
const maxConcurrency = 100_000

// checkNumbers returns an error if a number is outside of its range, or contradicts another one.
func (f *workFlags) checkNumbers() error {
	switch {
	case f.concurrency < 1:
		return UsageErrorf("--concurrency (CONCURRENCY) is %d; it must be at least 1", f.concurrency)
	case f.concurrency > maxConcurrency:
		return UsageErrorf("--concurrency (CONCURRENCY) is %d; it must be at most %d", f.concurrency, maxConcurrency)
	case f.maxWaiting < 0:
		return UsageErrorf("--max-waiting (RESQUE_MAX_WAITING) is %d; it must not be negative (0 means only poll)", f.maxWaiting)
	case f.crashLimit.value < 1:
		return UsageErrorf("--crash-limit (RESQUE_CRASH_LIMIT) is %d; it must be at least 1 (--on-crash fail does not requeue at all)", f.crashLimit.value)
	case f.heartbeat.value == 0:
		return UsageErrorf("--heartbeat-interval (RESQUE_HEARTBEAT_INTERVAL) is 0; it must be longer")
	case f.heartbeat.duration() < worker.MinHeartbeatInterval:
		return UsageErrorf("--heartbeat-interval (RESQUE_HEARTBEAT_INTERVAL) is %v s; it must be at least %v s", f.heartbeat.value, worker.MinHeartbeatInterval.Seconds())
	case f.pruneAfter.value == 0:
		return UsageErrorf("--prune-interval (RESQUE_PRUNE_INTERVAL) is 0; it must be longer")
	case f.heartbeat.value >= f.pruneAfter.value:
		return UsageErrorf("--heartbeat-interval (RESQUE_HEARTBEAT_INTERVAL) is %v s; it must be shorter than --prune-interval (RESQUE_PRUNE_INTERVAL), which is %v s, or live workers are pruned",
			f.heartbeat.value, f.pruneAfter.value)
	case f.minInterval.given && f.maxInterval.given && f.minInterval.value > f.maxInterval.value:
		return UsageErrorf("--min-interval (MIN_INTERVAL) is %v s; it must not be longer than --max-interval (MAX_INTERVAL), which is %v s", f.minInterval.value, f.maxInterval.value)
	}
	return nil
}

// worker returns the configuration that the flags alone describe.
func (f *workFlags) worker() (worker.Config, error) {
	if err := f.checkNumbers(); err != nil {
		return worker.Config{}, err
	}
	if f.crashLimit.given && f.onCrash.value != "requeue" {
		return worker.Config{}, UsageErrorf("--crash-limit (RESQUE_CRASH_LIMIT) has no effect without --on-crash requeue (RESQUE_ON_CRASH)")
	}
	if f.backoff.given && !f.minInterval.given && !f.maxInterval.given {
		return worker.Config{}, UsageErrorf("--backoff-interval (BACKOFF_INTERVAL) has no effect without --min-interval (MIN_INTERVAL) or --max-interval (MAX_INTERVAL)")
	}
	cfg := worker.Config{
		Queues:            strings.Split(f.queues, ","),
		Concurrency:       f.concurrency,
		PollInterval:      f.interval.duration(),
		MinPollInterval:   f.minInterval.duration(),
		MaxPollInterval:   f.maxInterval.duration(),
		UntilEmpty:        f.untilEmpty(),
		MaxWaiting:        f.maxWaiting,
		HeartbeatInterval: f.heartbeat.duration(),
		PruneAfter:        f.pruneAfter.duration(),
		Timeout:           f.timeout.duration(),
		Metrics:           f.metrics.value,
	}
	if !cfg.UntilEmpty {
		cfg.PollInterval = f.interval.positive() // if it is 0, the shortest wait decides
	}
	if f.backoff.given {
		cfg.PollBackoff = f.backoff.positive()
	}
	if f.maxWaiting == 0 {
		cfg.MaxWaiting = -1
	}
	if f.onCrash.value == "requeue" {
		cfg.OnCrash, cfg.CrashLimit = worker.RequeueCrashed, f.crashLimit.value
	}
	if f.unknownClass.value == "put-back" {
		cfg.UnknownClass = worker.PutBackUnknown
	}
	if f.backend.value == "redis_multi_queue" {
		cfg.FailureLists = resque.FailuresByQueue
	}
	if f.onShutdown.value == "requeue" {
		cfg.OnShutdown = worker.RequeueInterrupted
	}
	return cfg, f.stop.apply(&cfg, len(f.exec) > 0)
}
