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

// workCommand performs jobs until it is stopped.
//
// Ruby: rake resque:work.
func workCommand(env *Env, mux *resque.Mux) *cobra.Command {
	var flags workFlags
	cmd := &cobra.Command{
		Use:   "work",
		Short: "Perform the jobs of one or more queues",
		Long: `Performs the jobs of one or more queues until INT, TERM, QUIT or HUP. Then it takes no
more jobs, finishes the running jobs (or cancels them, with --term-child), and exits.
A second INT ends it at once. USR1 cancels the running jobs, USR2 pauses the worker
and CONT resumes it.

It logs to standard error. VVERBOSE adds debug lines; VERBOSE and LOGGING have no
effect. RESQUE_PROCLINE_PREFIX is put before the process title that ps shows.`,
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
				return nil // stopped before the start
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
			stop() // the worker handles signals itself
			return w.RunWithSignals(cmd.Context())
		},
	}
	flags.add(cmd)
	return cmd
}

// awaitRedis opens Redis. It waits as long as Redis is temporarily unavailable:
// unreachable, loading its data, or a replica without its master.
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
			log.Error("redis is not ready, retrying", "err", err, "cause", fault.Cause, "advice", fault.Advice)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait/2 + rand.N(wait/2)):
			wait = min(2*wait, 5*time.Second)
		}
	}
}

// workInBackground checks that the worker can start, and starts it in the background.
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

// prepare returns a worker, and answers health checks until end is called.
func prepare(ctx context.Context, rdb *resque.Redis, mux *resque.Mux, cfg worker.Config, health string) (w *worker.Worker, end func(), err error) {
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return nil, nil, err
	}
	if len(mux.Classes()) == 0 {
		cfg.Logger.Warn("no job classes are registered: every job will fail as unknown")
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
