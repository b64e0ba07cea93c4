package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// workCommand performs jobs until it is told to stop.
//
// Ruby: rake resque:work.
func workCommand(env *Env, mux *resque.Mux) *cobra.Command {
	var (
		queues      string
		concurrency int
		interval    = seconds{5}
	)
	cmd := &cobra.Command{
		Use:   "work",
		Short: "Perform the jobs of one or more queues",
		Long: `Performs the jobs of one or more queues, until INT, TERM or QUIT: then it takes
no more, finishes those in hand, and exits. A second signal ends it at once.`,
		Example: "  QUEUE=exports goresque work\n  goresque work --queue 'urgent,*' --concurrency 10",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if strings.Trim(queues, " ,") == "" {
				return Usage("no queue to work: say QUEUE=exports goresque work, or goresque work --queue exports ('*' means all)")
			}
			rdb, err := env.OpenRedis(cmd.Context())
			if err != nil {
				return err
			}
			defer rdb.Close()
			return work(cmd, rdb, mux, worker.Config{
				Queues:       strings.Split(queues, ","),
				Concurrency:  concurrency,
				PollInterval: interval.duration(),
				UntilEmpty:   interval.value == 0,
				Logger:       env.Logger(),
			})
		},
	}
	cmd.Flags().StringVarP(&queues, "queue", "q", "", "queues to work, in order, with commas between; '*' and other patterns, '!name' excludes")
	cmd.Flags().IntVarP(&concurrency, "concurrency", "c", 1, "how many jobs to perform at once")
	cmd.Flags().VarP(&interval, "interval", "i", "how long to wait before looking again; 0 works until the queues are empty")
	FromEnv(cmd, "queue", "QUEUES", "QUEUE")
	FromEnv(cmd, "concurrency", "CONCURRENCY")
	FromEnv(cmd, "interval", "INTERVAL")
	return cmd
}

func work(cmd *cobra.Command, rdb *resque.Redis, mux *resque.Mux, cfg worker.Config) error {
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	if len(mux.Classes()) == 0 {
		cfg.Logger.Warn("this command knows no job classes: every job will fail as unknown")
	}
	w, err := worker.New(client, mux, cfg)
	if err != nil {
		return Usage("%w", err)
	}
	ctx, stop := UntilSignal(cmd.Context())
	defer stop()
	return w.Run(ctx)
}
