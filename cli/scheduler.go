package cli

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// schedulerCommand moves delayed jobs until it is stopped.
//
// Ruby: resque-scheduler, and rake resque:scheduler.
func schedulerCommand(env *Env) *cobra.Command {
	var flags schedulerFlags
	cmd := &cobra.Command{
		Use:   "scheduler",
		Short: "Enqueue delayed and recurring jobs when they are due",
		Long: `Moves delayed jobs to their queues and enqueues recurring jobs when they are due, until
INT, TERM, QUIT or HUP. Any number of schedulers may run, also Ruby's: one is master, and
the others wait until it stops. On USR1 it logs which scheduler is master. On USR2 it
looks for due jobs at once.

Times are in seconds, or have a unit, such as 500ms or 2m. It uses Ruby's variables. Unlike
in Ruby, VERBOSE=0 means no.`,
		Example: "  goresque scheduler\n  RESQUE_SCHEDULER_INTERVAL=1 goresque scheduler --verbose",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, end, err := flags.logger(env)
			if err != nil {
				return err
			}
			defer end()
			cfg, err := flags.config(env.app.Scheduler)
			if err != nil {
				return err
			}
			cfg.Logger = cmp.Or(cfg.Logger, log)
			if !flags.background {
				env.beginTitle("goresque-scheduler", flags.suffix()).followScheduler(&cfg)
			}
			ctx, stop := UntilSignal(cmd.Context())
			defer stop()
			return unlessStopped(ctx, env.schedule(ctx, cfg, &flags))
		},
	}
	flags.add(cmd)
	return cmd
}

// schedule runs a scheduler until ctx ends, or starts it in the background.
func (e *Env) schedule(ctx context.Context, cfg scheduler.Config, flags *schedulerFlags) error {
	client, err := e.NewClient(e.Redis())
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if cfg.Mux == nil {
		if cfg.Mux, err = e.newMux(ctx, client); err != nil {
			return err
		}
	}
	s, err := scheduler.New(client, cfg)
	if err != nil {
		return UsageErrorf("%w", err)
	}
	if flags.background {
		return e.scheduleInBackground(ctx, client, s, flags)
	}
	for _, name := range []string{"INITIALIZER_PATH", "RESQUE_SCHEDULER_OPTIONS"} {
		if e.Getenv(name) != "" {
			cfg.Logger.Warn("a variable of Ruby's scheduler has no effect", "variable", name)
		}
	}
	if err := awaitRedis(ctx, client.Redis(), cfg.Logger); err != nil {
		return err
	}
	if flags.pidfile != "" {
		if err := writePID(flags.pidfile, fmt.Sprintln(os.Getpid())); err != nil {
			return err
		}
		defer func() { _ = os.Remove(flags.pidfile) }() // as Ruby's scheduler does
	}
	checkup(ctx, store.New(client.Redis()), cfg.Logger)
	if flags.health != "" {
		end, err := serveHealth(ctx, flags.health, ofScheduler(client.Redis(), s))
		if err != nil {
			return err
		}
		defer end()
	}
	defer onUserSignals(func() { printStatus(ctx, client, cfg) }, s.Reload)()
	return s.Run(ctx)
}

// scheduleInBackground checks that the scheduler can start, and starts it in the
// background.
func (e *Env) scheduleInBackground(ctx context.Context, client *resque.Client, s *scheduler.Scheduler, flags *schedulerFlags) error {
	if err := client.Redis().Ping(ctx); err != nil {
		return err
	}
	if flags.health != "" {
		end, err := serveHealth(ctx, flags.health, ofScheduler(client.Redis(), s))
		if err != nil {
			return err
		}
		end()
	}
	if err := tryPIDFile(flags.pidfile); err != nil {
		return err
	}
	return e.daemonize(daemon{pidfile: flags.pidfile, pidLine: true}) //nolint:contextcheck // the daemon outlives this process
}

// printStatus logs which scheduler is master.
//
// Ruby: Resque::Scheduler.print_schedule.
func printStatus(ctx context.Context, client *resque.Client, cfg scheduler.Config) {
	status, err := scheduler.ReadStatus(ctx, client, cfg.LockPrefix)
	if err != nil {
		cfg.Logger.Error("the status of the scheduler cannot be read", "err", err)
		return
	}
	attrs := []any{"master", status.Master, "since", status.Since, "moved", status.Moved, "lateness", status.Lateness}
	if !status.Next.IsZero() {
		attrs = append(attrs, "next", status.Next, "overdue", status.Overdue)
	}
	cfg.Logger.Info("scheduler status", attrs...)
}

// besideWorker starts a scheduler for work --scheduler. end stops it and waits.
func (e *Env) besideWorker(ctx context.Context, client *resque.Client, mux *resque.Mux, log *slog.Logger) (end func(), err error) {
	cfg, err := e.schedulerConfig()
	if err != nil {
		return nil, err
	}
	cfg.Logger = cmp.Or(cfg.Logger, log)
	cfg.Mux = cmp.Or(cfg.Mux, mux)
	s, err := scheduler.New(client, cfg)
	if err != nil {
		return nil, UsageErrorf("%w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx) // only fails if it already runs
	}()
	return func() {
		cancel()
		<-done
	}, nil
}

// schedulerConfig returns what the variables of the scheduler say, without its flags.
func (e *Env) schedulerConfig() (scheduler.Config, error) {
	var flags schedulerFlags
	cmd := &cobra.Command{}
	flags.addCore(cmd)
	if err := e.fill(cmd); err != nil {
		return scheduler.Config{}, err
	}
	return flags.config(e.app.Scheduler)
}

// logger returns a logger as the flags describe, and a function that closes its file.
func (f *schedulerFlags) logger(env *Env) (*slog.Logger, func(), error) {
	w, end := env.Stderr, func() {}
	if f.logfile != "" {
		file, err := os.OpenFile(f.logfile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644) //nolint:gosec // for other users to read
		if err != nil {
			return nil, nil, fmt.Errorf("opening the log file of --logfile (LOGFILE): %w", err)
		}
		w, end = file, func() { _ = file.Close() } // written without a buffer
	}
	level := env.logLevel()
	switch {
	case f.quiet.value:
		level = slog.LevelError
	case f.verbose.value:
		level = slog.LevelDebug
	}
	if f.logformat.value == "" {
		return newLogger(w, level, terminal(w)), end, nil
	}
	return newLogger(w, level, f.logformat.value != "json"), end, nil
}
