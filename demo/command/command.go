// Package command implements goresque demo: its flags, the Redis and the database
// that it opens, and the screen that shows what runs and how to join in.
package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/demo/database"
	"github.com/goresque/goresque/resque"
)

// App describes what the command runs.
type App struct {
	Queue, Class string // of the job, for the screen
	Models       []any  // of the database's tables
	Parts        func(env *cli.Env, o Opened) ([]Part, error)
	Restore      func(ctx context.Context, o Opened) error // for an embedded Redis, which has lost the jobs of an earlier demo
}

// Part is a part of the demo. It runs until its context ends.
type Part func(ctx context.Context) error

// Opened has what the command has opened for the app, and the values of its flags.
type Opened struct {
	Listener net.Listener
	Hosts    []string // the host names to accept; nil means any
	Client   *resque.Client
	DB       *database.DB
	Rows     int     // of each export
	Seconds  float64 // that each export takes
	Workers  int
}

// options are the flags of the command.
type options struct {
	Opened

	addr     address
	noWorker bool
	data     string
	temp     bool
	reset    bool
}

// New returns the command.
func New(env *cli.Env, app App) *cobra.Command {
	o := options{addr: defaultAddress()}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the demo: a web app with a slow export, a worker and a Redis",
		Long: `Runs a web app with a slow export, a worker that builds the exports and a
scheduler, until INT or TERM. It starts an embedded Redis unless --redis or REDIS_URL names one.
It prints the address of each part and how to join in.

DATABASE_URL can name the database: sqlite:PATH, or
postgres://user:password@host/database, in which the demo uses only the schema
goresque_demo.`,
		Example: "  goresque demo\n  PORT=4000 goresque demo --seconds 10\n  REDIS_URL=redis://localhost:6379 goresque demo --no-worker",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			ctx, stop := cli.UntilSignal(cmd.Context())
			defer stop()
			return o.run(ctx, env, app)
		},
	}
	flags := cmd.Flags()
	flags.Var(&o.addr, "addr", "port or host:port to listen on; without a host only this machine can connect")
	flags.Float64Var(&o.Seconds, "seconds", 4, "how long an export takes")
	flags.IntVar(&o.Rows, "rows", 10_000, "how many customers to export")
	flags.IntVar(&o.Workers, "workers", 1, "how many workers to run, as slots of this process")
	flags.BoolVar(&o.noWorker, "no-worker", false, "run no worker and no scheduler; start them in another terminal")
	flags.StringVar(&o.data, "data", "", "directory of the database; overrides DATABASE_URL (default ./"+database.DefaultDir+")")
	flags.BoolVar(&o.temp, "temp", false, "use a temporary database, deleted when the demo stops")
	flags.BoolVar(&o.reset, "reset", false, "delete all exports and customers from the database first")
	cmd.MarkFlagsMutuallyExclusive("data", "temp")
	cmd.MarkFlagsMutuallyExclusive("reset", "temp")
	cmd.MarkFlagsMutuallyExclusive("workers", "no-worker")
	cli.FromEnv(cmd, "addr", "PORT")
	return cmd
}

func (o *options) check() error {
	const mostRows, mostSeconds, mostWorkers = 1_000_000, 24 * 60 * 60, 100
	var mistakes []error
	if o.Rows < 1 || o.Rows > mostRows {
		mistakes = append(mistakes, fmt.Errorf("--rows is %d; it must be from 1 to %d", o.Rows, mostRows))
	}
	if !(o.Seconds >= 0 && o.Seconds <= mostSeconds) { // written so that NaN fails
		mistakes = append(mistakes, fmt.Errorf("--seconds is %v; it must be from 0 to %d", o.Seconds, mostSeconds))
	}
	if o.Workers < 1 || o.Workers > mostWorkers {
		mistakes = append(mistakes, fmt.Errorf("--workers is %d; it must be from 1 to %d (--no-worker runs none)", o.Workers, mostWorkers))
	}
	if len(mistakes) > 0 {
		return cli.UsageErrorf("%w", errors.Join(mistakes...))
	}
	return nil
}

// run opens what the app needs and runs its parts. It opens first what may be
// unavailable.
func (o *options) run(ctx context.Context, env *cli.Env, app App) (err error) {
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
	db, closeDatabase, err := o.openDatabase(ctx, env, app.Models)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDatabase()) }()
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	if o.noWorker {
		o.Workers = 0
	}
	o.Listener, o.Hosts, o.Client, o.DB = listener, o.addr.hosts(listener), client, db
	if own { // the jobs of an earlier demo were lost with its embedded Redis
		if err := app.Restore(ctx, o.Opened); err != nil {
			return err
		}
	}
	parts, err := app.Parts(env, o.Opened)
	if err != nil {
		return err
	}
	fmt.Fprint(env.Stdout, screen{
		web: webURL(listener), redis: rdb, ownRedis: own, database: db.At, temp: o.temp, workers: o.Workers, queue: app.Queue, class: app.Class,
	})
	return Together(ctx, append(parts, func(ctx context.Context) error {
		<-ctx.Done()
		fmt.Fprintln(env.Stdout, "Stopping after the running exports; Ctrl-C again stops at once.")
		return nil
	})...)
}

// Together runs parts concurrently until ctx or one of them ends. It returns when all
// have ended.
func Together(ctx context.Context, parts ...Part) error {
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
