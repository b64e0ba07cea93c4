package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// workFlags are what work is told, by flags or by Ruby's variables.
type workFlags struct {
	pidfile, health                             string
	background                                  bool
	queues                                      string
	concurrency, maxWaiting, crashLimit         int
	interval, minInterval, maxInterval, backoff seconds
	heartbeat, pruneAfter, timeout              seconds
	onCrash, unknownClass, onShutdown, backend  choice
	stop                                        stopFlags
	exec                                        []string
}

// stopFlags are how work stops, and where it performs jobs.
type stopFlags struct {
	termChild, gracefulTerm, forkPerJob bool
	termTimeout, preShutdown            seconds
	jobsPerChild, minutesPerChild       int
}

func (f *workFlags) add(cmd *cobra.Command) {
	f.interval, f.backoff = seconds{value: 5}, seconds{value: 0.1}
	f.heartbeat, f.pruneAfter = seconds{value: 60}, seconds{value: 300}
	f.onCrash = choice{value: "fail", of: []string{"fail", "requeue"}}
	f.unknownClass = choice{value: "fail", of: []string{"fail", "put-back"}}
	f.onShutdown = choice{value: "fail", of: []string{"fail", "requeue"}}
	f.backend = choice{value: "redis", of: backends()}
	set := cmd.Flags()
	f.stop.add(cmd)
	set.StringVarP(&f.queues, "queue", "q", "", "queues to work, in order, with commas between; '*' and other patterns, '!name' excludes")
	set.IntVarP(&f.concurrency, "concurrency", "c", 1, "how many jobs to perform at once")
	set.VarP(&f.interval, "interval", "i", "how long to wait before looking again; 0 works until the queues are empty")
	set.Var(&f.minInterval, "min-interval", "the wait after a job, where it is to vary (default: the interval)")
	set.Var(&f.maxInterval, "max-interval", "the longest wait, where it is to vary (default: the interval)")
	set.Var(&f.backoff, "backoff-interval", "how much longer to wait after each look that finds nothing")
	set.IntVar(&f.maxWaiting, "max-waiting", 16, "connections for being told of jobs at once; 0 for none, only looking at each interval")
	set.Var(&f.heartbeat, "heartbeat-interval", "how often to say that this worker is alive")
	set.Var(&f.pruneAfter, "prune-interval", "how long a silent worker is taken for alive")
	set.Var(&f.onCrash, "on-crash", "what becomes of a dead worker's job: fail, or requeue")
	set.IntVar(&f.crashLimit, "crash-limit", 3, "how many workers a job may take with it in a day before it fails, with --on-crash requeue")
	set.Var(&f.unknownClass, "unknown-class", "what becomes of a job whose class is unknown here: fail, or put-back for other workers")
	set.Var(&f.timeout, "timeout", "how long a job may take (default: as long as it likes)")
	set.Var(&f.onShutdown, "on-shutdown", "what becomes of a job that is ended because the worker stops: fail, or requeue")
	set.Var(&f.backend, "failure-backend", "where failures are recorded: redis, the list failed, or redis_multi_queue, a list for each queue")
	set.StringArrayVar(&f.exec, "exec", nil, "perform a class by a shell command: CLASS=COMMAND, which gets the payload on standard input; may be repeated")
	set.StringVar(&f.pidfile, "pidfile", "", "file to write the process id to")
	set.BoolVar(&f.background, "background", false, "go on in the background, and return")
	set.StringVar(&f.health, "health", "", "address to answer /healthz and /readyz on, such as :8080")
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
		"pidfile":            {"PIDFILE"},
		"background":         {"BACKGROUND"},
		"health":             {"RESQUE_HEALTH"},
	} {
		FromEnv(cmd, flag, variables...)
	}
}

func (f *stopFlags) add(cmd *cobra.Command) {
	f.termTimeout = seconds{value: 4}
	set := cmd.Flags()
	set.BoolVar(&f.termChild, "term-child", false, "on TERM and INT, ask the jobs in hand to end, and cut off those that do not")
	set.BoolVar(&f.gracefulTerm, "graceful-term", false, "on TERM, finish the jobs in hand, however long that takes")
	set.Var(&f.preShutdown, "pre-shutdown-timeout", "how long jobs may go on before they are asked to end, with --term-child")
	set.Var(&f.termTimeout, "term-timeout", "how long a job that was asked to end may go on before it is cut off")
	set.BoolVar(&f.forkPerJob, "fork-per-job", false, "perform each job in a process of its own")
	set.IntVar(&f.jobsPerChild, "jobs-per-child", 0, "how many jobs such a process performs before it is replaced (default 1); implies --fork-per-job")
	set.IntVar(&f.minutesPerChild, "minutes-per-child", 0, "how old such a process gets before it is replaced; implies --fork-per-job")
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

// apply writes the flags into a worker's config.
func (f *stopFlags) apply(cfg *worker.Config) error {
	if f.jobsPerChild < 0 || f.minutesPerChild < 0 {
		return UsageErrorf("jobs-per-child and minutes-per-child must not be negative")
	}
	cfg.TermChild, cfg.GracefulTerm = f.termChild, f.gracefulTerm
	cfg.PreShutdownTimeout = f.preShutdown.duration()
	cfg.TermTimeout = f.termTimeout.positive()
	cfg.ForkPerJob = f.forkPerJob || f.jobsPerChild > 0 || f.minutesPerChild > 0
	cfg.JobsPerChild = f.jobsPerChild
	cfg.ChildLifetime = time.Duration(f.minutesPerChild) * time.Minute
	return nil
}

// untilEmpty tells whether the wait is 0 once its bounds are heeded.
//
// Ruby: Resque::Worker#work, which then does not wait but ends.
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

// config is what the flags say, as a worker takes it.
func (f *workFlags) config() (worker.Config, error) {
	if strings.Trim(f.queues, " ,") == "" {
		return worker.Config{}, UsageErrorf("no queue to work: say QUEUE=exports goresque work, or goresque work --queue exports ('*' means all)")
	}
	if f.concurrency < 1 {
		return worker.Config{}, UsageErrorf("concurrency is %d; it must be at least 1", f.concurrency)
	}
	if f.crashLimit < 1 {
		return worker.Config{}, UsageErrorf("crash-limit is %d; it must be at least 1 (--on-crash fail gives up at once)", f.crashLimit)
	}
	if f.heartbeat.value == 0 || f.pruneAfter.value == 0 {
		return worker.Config{}, UsageErrorf("heartbeat-interval and prune-interval must be longer than 0")
	}
	if f.heartbeat.value >= f.pruneAfter.value {
		return worker.Config{}, UsageErrorf("heartbeat-interval is %v s; it must be shorter than prune-interval, which is %v s, or live workers are taken for dead",
			f.heartbeat.value, f.pruneAfter.value)
	}
	cfg := worker.Config{
		Queues:            strings.Split(f.queues, ","),
		Concurrency:       f.concurrency,
		PollInterval:      f.interval.duration(),
		MinPollInterval:   f.minInterval.duration(),
		MaxPollInterval:   f.maxInterval.duration(),
		PollBackoff:       f.backoff.positive(),
		UntilEmpty:        f.untilEmpty(),
		MaxWaiting:        f.maxWaiting,
		HeartbeatInterval: f.heartbeat.duration(),
		PruneAfter:        f.pruneAfter.duration(),
		CrashLimit:        f.crashLimit,
		Timeout:           f.timeout.duration(),
	}
	if !cfg.UntilEmpty {
		cfg.PollInterval = f.interval.positive() // where it is 0, the least wait decides
	}
	if f.maxWaiting == 0 {
		cfg.MaxWaiting = -1
	}
	if f.onCrash.value == "requeue" {
		cfg.OnCrash = worker.RequeueCrashed
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
	return cfg, f.stop.apply(&cfg)
}
