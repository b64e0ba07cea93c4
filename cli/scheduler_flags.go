package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/internal/cron"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque/scheduler"
)

// schedulerFlags are the flags of scheduler, which Ruby's variables also set.
type schedulerFlags struct {
	interval, lockTimeout seconds
	lockPrefix            string
	batchSize             count
	schedule, environment string
	dynamic, mondayWeeks  truth
	grace                 string

	appName, logfile, pidfile, health string
	logformat                         choice
	verbose, quiet                    truth
	background                        bool

	cmd *cobra.Command // whose flags they are
}

// addCore adds the flags that a scheduler inside of work also has, as variables.
func (f *schedulerFlags) addCore(cmd *cobra.Command) {
	f.cmd = cmd
	f.interval, f.lockTimeout = seconds{value: 5}, seconds{value: 30}
	f.batchSize = count{value: store.MoveJobs}
	set := cmd.Flags()
	set.VarP(&f.interval, "interval", "i", "longest time between two looks for due jobs")
	set.Var(&f.lockTimeout, "lock-timeout", "how long after a scheduler was killed no other one can become master")
	set.StringVar(&f.lockPrefix, "lock-prefix", "", "prefix of the lock's name, to keep the schedulers of several applications apart")
	set.Var(&f.batchSize, "batch-size", "how many jobs one script moves at most, up to 1000")
	set.StringVar(&f.schedule, "schedule", "", "YAML file with recurring jobs, in the format of resque-scheduler")
	set.VarPF(&f.dynamic, "dynamic", "D", "look for recurring jobs that other programs set or remove, at each interval").NoOptDefVal = "true"
	set.StringVarP(&f.environment, "environment", "E", "", "name of the environment; recurring jobs for other environments do not run; it is also in the process title")
	set.StringVar(&f.grace, "grace", "", "how late a recurring job may be enqueued if no scheduler was running at its time; with none, missed times do not fire (default: 1m)")
	set.VarPF(&f.mondayWeeks, "monday-weeks", "", "weeks of cron lines such as mon%2 begin on Monday, as in fugit 1.12 and later").NoOptDefVal = "true"
	for flag, variable := range map[string]string{
		"schedule": "RESQUE_SCHEDULE", "dynamic": "DYNAMIC_SCHEDULE", "environment": "RAILS_ENV",
		"grace": "RESQUE_SCHEDULE_GRACE", "monday-weeks": "RESQUE_SCHEDULE_MONDAY_WEEKS",
	} {
		FromEnv(cmd, flag, variable)
	}
	FromEnv(cmd, "interval", "RESQUE_SCHEDULER_INTERVAL")
	FromEnv(cmd, "lock-timeout", "LOCK_TIMEOUT")
	FromEnv(cmd, "lock-prefix", "RESQUE_SCHEDULER_MASTER_LOCK_PREFIX")
	FromEnv(cmd, "batch-size", "DELAYED_REQUEUE_BATCH_SIZE")
}

func (f *schedulerFlags) add(cmd *cobra.Command) {
	f.addCore(cmd)
	f.logformat = choice{of: []string{"text", "json", "logfmt"}}
	set := cmd.Flags()
	set.StringVarP(&f.appName, "app-name", "n", "", "name of the application, for the process title")
	set.StringVarP(&f.logfile, "logfile", "l", "", "file to append the log to (default: standard error)")
	set.VarP(&f.logformat, "logformat", "F", "format of the log (default: text on a terminal, otherwise json)")
	set.VarPF(&f.verbose, "verbose", "v", "also log debug lines").NoOptDefVal = "true"
	set.VarPF(&f.quiet, "quiet", "q", "log errors only").NoOptDefVal = "true"
	set.StringVarP(&f.pidfile, "pidfile", "P", "", "file to write the process id to; removed at the end")
	set.BoolVarP(&f.background, "background", "B", false, "run in the background")
	set.StringVar(&f.health, "health", "", "address for /healthz and /readyz, such as :8080")
	for flag, variable := range map[string]string{
		"app-name": "APP_NAME", "logfile": "LOGFILE", "logformat": "LOGFORMAT",
		"verbose": "VERBOSE", "quiet": "QUIET", "pidfile": "PIDFILE", "background": "BACKGROUND", "health": "RESQUE_HEALTH",
	} {
		FromEnv(cmd, flag, variable)
	}
}

// config returns base with what the flags and their variables give.
func (f *schedulerFlags) config(base scheduler.Config) (scheduler.Config, error) {
	if f.interval.value == 0 {
		return base, UsageErrorf("--interval (RESQUE_SCHEDULER_INTERVAL) is 0; it must be more, such as 0.1")
	}
	if f.batchSize.value < 1 || f.batchSize.value > store.MoveJobs {
		return base, UsageErrorf("--batch-size (DELAYED_REQUEUE_BATCH_SIZE) is %d; it must be from 1 to %d", f.batchSize.value, store.MoveJobs)
	}
	if f.lockTimeout.value < 1 {
		return base, UsageErrorf("--lock-timeout (LOCK_TIMEOUT) is %v s; it must be at least 1", f.lockTimeout.value)
	}
	cfg := base
	set(&cfg.Interval, f.interval.duration(), f.given("interval"))
	set(&cfg.LockTTL, f.lockTimeout.duration(), f.given("lock-timeout"))
	set(&cfg.LockPrefix, f.lockPrefix, f.given("lock-prefix"))
	set(&cfg.BatchSize, f.batchSize.value, f.given("batch-size"))
	set(&cfg.Dynamic, f.dynamic.value, f.given("dynamic"))
	set(&cfg.Env, f.environment, f.given("environment"))
	set(&cfg.MondayWeeks, f.mondayWeeks.value, f.given("monday-weeks"))
	return f.schedules(cfg)
}

// schedules returns cfg with the entries of the file, and Grace.
func (f *schedulerFlags) schedules(cfg scheduler.Config) (scheduler.Config, error) {
	switch f.grace {
	case "":
	case "none", "-1":
		cfg.Grace = -1
	default:
		grace, err := cron.ParseDuration(f.grace)
		if err != nil || grace <= 0 {
			return cfg, UsageErrorf("--grace (RESQUE_SCHEDULE_GRACE) is %q; write a duration such as 5m, or none", f.grace)
		}
		cfg.Grace = grace
	}
	if f.schedule == "" {
		return cfg, nil
	}
	entries, err := scheduler.Load(f.schedule)
	cfg.Entries = append(slices.Clone(cfg.Entries), entries...)
	return cfg, err
}

// given reports whether a flag is given, or its variable.
func (f *schedulerFlags) given(name string) bool { return isGiven(f.cmd.Flag(name)) }

// suffix returns what follows the name of the program in the title.
//
// Ruby: Resque::Scheduler.build_procline.
func (f *schedulerFlags) suffix() string {
	bracket := func(name string) string {
		if name == "" {
			return ""
		}
		return "[" + name + "]"
	}
	return bracket(f.appName) + bracket(f.environment)
}
