package cli

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// workCommand performs jobs until it is stopped.
//
// Ruby: rake resque:work.
func workCommand(env *Env) *cobra.Command {
	var flags workFlags
	cmd := &cobra.Command{
		Use:   "work",
		Short: "Perform the jobs of one or more queues",
		Long: `Performs the jobs of one or more queues until INT, TERM, QUIT or HUP. Then it takes no
more jobs, finishes the running jobs (or cancels them, with --term-child), and exits.
A second INT ends it at once. USR1 cancels the running jobs, USR2 pauses the worker
and CONT resumes it.

Times are in seconds, or have a unit, such as 500ms or 2m.

It logs to standard error. VVERBOSE adds debug lines; VERBOSE and LOGGING have no
effect. RESQUE_PROCLINE_PREFIX is put before the process title that ps shows.`,
		Example: "  QUEUE=exports goresque work\n  goresque work --queue 'urgent,*' --concurrency 10",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := flags.config(env.app.Worker)
			if err = errors.Join(err, env.flags.checkWorker()); err != nil {
				return err
			}
			cfg.Logger = cmp.Or(cfg.Logger, env.Logger())
			child := worker.IsChild()
			if !child && !flags.background {
				env.beginTitle("goresque", "").follow(&cfg)
			}
			ctx, stop := cmd.Context(), func() {}
			if !child {
				ctx, stop = UntilSignal(ctx)
			}
			defer stop()
			client, mux, err := env.jobs(ctx, flags.exec, cmp.Or(cfg.StopGrace, flags.stop.termTimeout.positive()), child)
			if err != nil {
				return unlessStopped(ctx, err)
			}
			defer func() { _ = client.Close() }()
			switch {
			case child:
				return worker.ServeChild(resque.WithClient(ctx, client), mux)
			case flags.background:
				return env.workInBackground(ctx, client, mux, cfg, &flags)
			}
			if err := awaitRedis(ctx, client.Redis(), cfg.Logger); err != nil {
				return unlessStopped(ctx, err)
			}
			if err := writePID(flags.pidfile, strconv.Itoa(os.Getpid())); err != nil {
				return err
			}
			w, end, err := prepare(ctx, client, mux, cfg, flags.health)
			if err != nil {
				return err
			}
			defer end()
			if ctx.Err() != nil {
				return nil
			}
			if flags.scheduler.value {
				end, err := env.besideWorker(cmd.Context(), client, mux, cfg.Logger)
				if err != nil {
					return err
				}
				defer end()
			}
			stop() // the worker handles signals itself
			return w.RunWithSignals(cmd.Context())
		},
	}
	flags.add(cmd)
	return cmd
}

// jobs returns the jobs to perform, those of shell commands included, and the client
// that their handlers enqueue by. Both are for this process; a child process leaves
// warnings about the address to its worker.
func (e *Env) jobs(ctx context.Context, exec []string, grace time.Duration, child bool) (*resque.Client, *resque.Mux, error) {
	at := e.Redis()
	if child {
		at.Logger = slog.New(slog.DiscardHandler)
	}
	client, err := e.NewClient(at)
	if err != nil {
		return nil, nil, err
	}
	mux, err := e.newMux(ctx, client)
	if err == nil {
		err = execRoutes(mux, exec, grace, e)
	}
	if err != nil {
		_ = client.Close()
		return nil, nil, err
	}
	return client, mux, nil
}

// unlessStopped returns err, or nil if the command was stopped before its start.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// awaitRedis waits as long as Redis is temporarily unavailable: unreachable, loading
// its data, or a replica without its master.
func awaitRedis(ctx context.Context, rdb *resque.Redis, log *slog.Logger) error {
	wait, since := 100*time.Millisecond, time.Time{}
	for {
		err := rdb.Ping(ctx)
		if err == nil {
			if !since.IsZero() {
				log.Info("redis is ready", "duration", time.Since(since).Round(time.Millisecond))
			}
			return nil
		}
		fault, ok := resque.Explain(err)
		if !ok || !fault.Temporary {
			return err
		}
		if since.IsZero() {
			since = time.Now()
			log.Error("redis is not ready, retrying", resque.LogAttrs(err)...)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait/2 + rand.N(wait/2)):
			wait = min(2*wait, 5*time.Second)
		}
	}
}

// workInBackground checks that the worker can start, and starts it in the background.
func (e *Env) workInBackground(ctx context.Context, client *resque.Client, mux *resque.Mux, cfg worker.Config, flags *workFlags) error {
	if err := client.Redis().Ping(ctx); err != nil {
		return err
	}
	if err := rehearse(ctx, client, mux, cfg, flags); err != nil {
		return err
	}
	return e.daemonize(flags.daemon) //nolint:contextcheck // the daemon outlives this process
}

// prepare returns a worker, and answers health checks until end is called.
func prepare(ctx context.Context, client *resque.Client, mux *resque.Mux, cfg worker.Config, health string) (w *worker.Worker, end func(), err error) {
	if len(mux.Classes()) == 0 {
		cfg.Logger.Warn("no job classes are registered: every job will fail as unknown")
	}
	checkup(ctx, store.New(client.Redis()), cfg.Logger)
	if w, err = worker.New(client, mux, cfg); err != nil {
		return nil, nil, UsageErrorf("%w", err)
	}
	if health == "" {
		return w, func() {}, nil
	}
	end, err = serveHealth(ctx, health, ofWorker(client, w))
	return w, end, err
}
