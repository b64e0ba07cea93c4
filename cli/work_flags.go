package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

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
	onCrash, unknownClass                       choice
}

func (f *workFlags) add(cmd *cobra.Command) {
	f.interval, f.backoff = seconds{5}, seconds{0.1}
	f.heartbeat, f.pruneAfter = seconds{60}, seconds{300}
	f.onCrash = choice{value: "fail", of: []string{"fail", "requeue"}}
	f.unknownClass = choice{value: "fail", of: []string{"fail", "put-back"}}
	set := cmd.Flags()
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
		"pidfile":            {"PIDFILE"},
		"background":         {"BACKGROUND"},
		"health":             {"RESQUE_HEALTH"},
	} {
		FromEnv(cmd, flag, variables...)
	}
}

// config is what the flags say, as a worker takes it.
func (f *workFlags) config() (worker.Config, error) {
	if strings.Trim(f.queues, " ,") == "" {
		return worker.Config{}, Usage("no queue to work: say QUEUE=exports goresque work, or goresque work --queue exports ('*' means all)")
	}
	if f.concurrency < 1 {
		return worker.Config{}, Usage("concurrency is %d; it must be at least 1", f.concurrency)
	}
	cfg := worker.Config{
		Queues:            strings.Split(f.queues, ","),
		Concurrency:       f.concurrency,
		PollInterval:      f.interval.duration(),
		MinPollInterval:   f.minInterval.duration(),
		MaxPollInterval:   f.maxInterval.duration(),
		PollBackoff:       f.backoff.duration(),
		UntilEmpty:        f.interval.value == 0 && f.minInterval.value == 0,
		MaxWaiting:        f.maxWaiting,
		HeartbeatInterval: f.heartbeat.duration(),
		PruneAfter:        f.pruneAfter.duration(),
		CrashLimit:        f.crashLimit,
		Timeout:           f.timeout.duration(),
	}
	if f.interval.value == 0 && f.minInterval.value > 0 {
		cfg.PollInterval = time.Nanosecond // the least wait decides
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
	return cfg, nil
}
