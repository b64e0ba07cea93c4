package cli

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

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
		Long: `Performs the jobs of one or more queues, until INT, TERM, QUIT or HUP: then it takes
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
			if err := execRoutes(mux, flags.exec, flags.stop.termTimeout.positive(), env); err != nil {
				return err
			}
			if worker.IsChild() {
				return worker.ServeChild(cmd.Context(), mux)
			}
			cfg.Logger = env.Logger()
			if !flags.background {
				env.beginTitle().follow(&cfg)
			}
			ctx, stop := UntilSignal(cmd.Context())
			defer stop()
			if flags.background {
				return env.workInBackground(ctx, mux, cfg, &flags)
			}
			rdb, err := env.awaitRedis(ctx, cfg.Logger)
			if ctx.Err() != nil {
				return nil // it was told to stop before it began
			}
			if err != nil {
				return err
			}
			defer rdb.Close()
			if err := writePID(flags.pidfile, os.Getpid()); err != nil {
				return err
			}
			w, end, err := prepare(ctx, rdb, mux, cfg, flags.health)
			if err != nil {
				return err
			}
			defer end()
			if ctx.Err() != nil {
				return nil
			}
			stop() // the worker follows signals itself
			return w.RunWithSignals(cmd.Context())
		},
	}
	flags.add(cmd)
	return cmd
}

// awaitRedis opens Redis and waits while it cannot serve but may later: it is
// away, loading its data, or a replica without its master.
func (e *Env) awaitRedis(ctx context.Context, log *slog.Logger) (*resque.Redis, error) {
	wait, since := 100*time.Millisecond, time.Time{}
	for {
		rdb, err := e.OpenRedis(ctx)
		if err == nil {
			if !since.IsZero() {
				log.Info("redis is ready", "duration", time.Since(since).Round(time.Millisecond))
			}
			return rdb, nil
		}
		fault, ok := resque.Explain(err)
		if !ok || !fault.Temporary {
			return nil, err
		}
		if since.IsZero() {
			since = time.Now()
			log.Error("redis is not ready, trying again", "err", err, "cause", fault.Cause, "advice", fault.Advice)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait/2 + rand.N(wait/2)):
			wait = min(2*wait, 5*time.Second)
		}
	}
}

// workInBackground makes sure that the worker can work, and starts it.
func (e *Env) workInBackground(ctx context.Context, mux *resque.Mux, cfg worker.Config, flags *workFlags) error {
	rdb, err := e.OpenRedis(ctx)
	if err != nil {
		return err
	}
	defer rdb.Close()
	if err := rehearse(ctx, rdb, mux, cfg, flags); err != nil {
		return err
	}
	return e.daemonize(flags.pidfile)
}

// prepare makes a worker, and answers health checks until end is called.
func prepare(ctx context.Context, rdb *resque.Redis, mux *resque.Mux, cfg worker.Config, health string) (w *worker.Worker, end func(), err error) {
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return nil, nil, err
	}
	if len(mux.Classes()) == 0 {
		cfg.Logger.Warn("this command knows no job classes: every job will fail as unknown")
	}
	checkup(ctx, store.New(rdb), cfg.Logger)
	if w, err = worker.New(client, mux, cfg); err != nil {
		return nil, nil, UsageErrorf("%w", err)
	}
	if health == "" {
		return w, func() {}, nil
	}
	end, err = serveHealth(ctx, health, rdb, w)
	return w, end, err
}
