package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// workCommand performs jobs until it is told to stop.
//
// Ruby: rake resque:work.
func workCommand(env *Env, mux *resque.Mux) *cobra.Command {
	var flags workFlags
	cmd := &cobra.Command{
		Use:   "work",
		Short: "Perform the jobs of one or more queues",
		Long: `Performs the jobs of one or more queues, until INT, TERM or QUIT: then it takes
no more, finishes those in hand, or ends them with --term-child, and exits. A
second INT ends it at once. USR1 ends the jobs in hand, USR2 pauses, CONT resumes.

It logs to standard error, debug lines too where VVERBOSE is set. VERBOSE and
LOGGING ask for what it always logs. RESQUE_PROCLINE_PREFIX stands before what
ps shows.`,
		Example: "  QUEUE=exports goresque work\n  goresque work --queue 'urgent,*' --concurrency 10",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := flags.config()
			if err != nil {
				return err
			}
			if err := execRoutes(mux, flags.exec, cfg.TermTimeout, env); err != nil {
				return err
			}
			if worker.IsChild() {
				return worker.ServeChild(cmd.Context(), mux)
			}
			cfg.Logger = env.Logger()
			if !flags.background {
				env.beginTitle().follow(&cfg)
			}
			rdb, err := env.OpenRedis(cmd.Context())
			if err != nil {
				return err
			}
			defer rdb.Close()
			if flags.background {
				if err := rehearse(cmd.Context(), rdb, mux, cfg, &flags); err != nil {
					return err
				}
				return env.daemonize()
			}
			if err := writePID(flags.pidfile); err != nil {
				return err
			}
			return work(cmd.Context(), rdb, mux, cfg, flags.health)
		},
	}
	flags.add(cmd)
	return cmd
}

func work(ctx context.Context, rdb *resque.Redis, mux *resque.Mux, cfg worker.Config, health string) error {
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	if len(mux.Classes()) == 0 {
		cfg.Logger.Warn("this command knows no job classes: every job will fail as unknown")
	}
	checkup(ctx, store.New(rdb), cfg.Logger)
	w, err := worker.New(client, mux, cfg)
	if err != nil {
		return Usage("%w", err)
	}
	if health != "" {
		end, err := serveHealth(ctx, health, rdb, w)
		if err != nil {
			return err
		}
		defer end()
	}
	return w.RunWithSignals(ctx)
}
