package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/web"
	"github.com/goresque/goresque/worker"
)

// options are the flags of the demo command.
type options struct {
	addr     address
	seconds  float64
	rows     int
	workers  int
	noWorker bool
	data     string
	temp     bool
	reset    bool
}

func newCommand(env *cli.Env) *cobra.Command {
	o := options{addr: defaultAddress()}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show it all: a web app with a slow export, a worker, and a Redis to play with",
		Long: `Runs a web app with a slow export, a worker for it, and, unless --redis or
REDIS_URL names one, a Redis of its own, until INT or TERM. It prints what runs
where, and how to join in. DATABASE_URL may name the database: sqlite:PATH, or
postgres://user:password@host/database, where it keeps to a schema of its own,
goresque_demo.`,
		Example: "  goresque demo\n  PORT=4000 goresque demo --seconds 10\n  REDIS_URL=redis://localhost:6379 goresque demo --no-worker",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			ctx, stop := cli.UntilSignal(cmd.Context())
			defer stop()
			return o.run(ctx, env)
		},
	}
	flags := cmd.Flags()
	flags.Var(&o.addr, "addr", "port, or host:port, to listen on; without a host only this machine is let in")
	flags.Float64Var(&o.seconds, "seconds", 4, "how long an export takes")
	flags.IntVar(&o.rows, "rows", 10_000, "how many customers to export")
	flags.IntVar(&o.workers, "workers", 1, "how many workers to run, each a slot of this process")
	flags.BoolVar(&o.noWorker, "no-worker", false, "leave the worker to another terminal")
	flags.StringVar(&o.data, "data", "", "directory for the database; wins over DATABASE_URL (default ./"+defaultDir+")")
	flags.BoolVar(&o.temp, "temp", false, "use a throwaway database, removed at the end")
	flags.BoolVar(&o.reset, "reset", false, "begin with an empty database: remove all exports and customers that are there")
	cmd.MarkFlagsMutuallyExclusive("data", "temp")
	cmd.MarkFlagsMutuallyExclusive("reset", "temp")
	cmd.MarkFlagsMutuallyExclusive("workers", "no-worker")
	cli.FromEnv(cmd, "addr", "PORT")
	return cmd
}

func (o *options) check() error {
	const mostRows, mostSeconds, mostWorkers = 1_000_000, 24 * 60 * 60, 100
	var mistakes []error
	if o.rows < 1 || o.rows > mostRows {
		mistakes = append(mistakes, fmt.Errorf("--rows must be 1 to %d, not %d", mostRows, o.rows))
	}
	if !(o.seconds >= 0 && o.seconds <= mostSeconds) { // also not NaN
		mistakes = append(mistakes, fmt.Errorf("--seconds must be 0 to %d, not %v", mostSeconds, o.seconds))
	}
	if o.workers < 1 || o.workers > mostWorkers {
		mistakes = append(mistakes, fmt.Errorf("--workers must be 1 to %d, not %d; for none, say --no-worker", mostWorkers, o.workers))
	}
	if len(mistakes) > 0 {
		return cli.Usage("%w", errors.Join(mistakes...))
	}
	return nil
}

// run starts everything, what can fail for want of something first, and ends it
// in reverse.
func (o *options) run(ctx context.Context, env *cli.Env) (err error) {
	listener, err := o.addr.listen(ctx)
	if err != nil {
		return err
	}
	defer listener.Close()
	rdb, own, stopRedis, err := openRedis(ctx, env)
	if err != nil {
		return err
	}
	defer stopRedis()
	db, closeDatabase, err := o.openDatabase(ctx, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDatabase()) }()
	if own {
		// What an earlier demo left unfinished was queued in a Redis that is gone.
		if err := db.interrupted(ctx, "the demo was stopped before it was done"); err != nil {
			return err
		}
	}
	p, err := o.parts(rdb, db, listener, env)
	if err != nil {
		return err
	}
	fmt.Fprint(env.Stdout, screen{
		web: webURL(listener), redis: rdb, ownRedis: own, database: db.at, temp: o.temp, workers: o.slots(),
	})
	return together(ctx, p...)
}

// slots is how many workers to run.
func (o *options) slots() int {
	if o.noWorker {
		return 0
	}
	return o.workers
}

// part is something that runs until its context ends.
type part func(ctx context.Context) error

func (o *options) parts(rdb *resque.Redis, db *database, l net.Listener, env *cli.Env) ([]part, error) {
	log := env.Logger()
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return nil, err
	}
	dashboard, err := o.dashboard(client, l, env)
	if err != nil {
		return nil, err
	}
	app, err := newWebApp(db, client, webConfig{rows: o.rows, seconds: o.seconds, hosts: o.addr.hosts(l), resque: dashboard, log: log})
	if err != nil {
		return nil, err
	}
	parts := []part{
		func(ctx context.Context) error { return serveWeb(ctx, l, app, log) },
		dashboard.Run,
		func(ctx context.Context) error {
			<-ctx.Done()
			fmt.Fprintln(env.Stdout, "Stopping: an export in hand is finished first; Ctrl-C again stops at once.")
			return nil
		},
	}
	if o.slots() == 0 {
		return parts, nil
	}
	w, err := worker.New(client, newMux(db), worker.Config{
		Queues:       []string{Exporter.Queue()},
		Concurrency:  o.slots(),
		PollInterval: 500 * time.Millisecond, // someone is watching
		Logger:       log,
	})
	if err != nil {
		return nil, err
	}
	return append(parts, w.Run), nil
}

// dashboard is Resque's, below /resque/. Who is on this machine may do everything
// there; where others can reach it they may only look, until RESQUE_WEB_PASSWORD
// is set.
func (o *options) dashboard(client *resque.Client, l net.Listener, env *cli.Env) (*web.Dashboard, error) {
	hosts := o.addr.hosts(l)
	cfg := web.Config{Auth: web.AllowEveryone(), ReadOnly: hosts == nil, AllowedHosts: hosts, BackURL: "/exports", Logger: env.Logger()}
	if password := env.Getenv("RESQUE_WEB_PASSWORD"); password != "" {
		cfg.Auth = web.BasicAuth(cmp.Or(env.Getenv("RESQUE_WEB_USER"), "resque"), password)
		cfg.ReadOnly = false
	}
	return web.New(client, cfg)
}

// together runs parts until ctx ends or one of them does, and waits for all.
func together(ctx context.Context, parts ...part) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(parts))
	var all sync.WaitGroup
	for i, run := range parts {
		all.Go(func() {
			defer cancel()
			errs[i] = run(ctx)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
