package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

// deadAfter is the age of a heartbeat at which a worker is considered dead, as in
// Resque.
const deadAfter = 5 * time.Minute

// removeCommand unregisters a worker.
//
// Ruby: resque remove.
func removeCommand(env *Env) *cobra.Command {
	var force bool
	var flags pruneFlags
	cmd := &cobra.Command{
		Use:   "remove ID",
		Short: "Prune a dead worker: unregister it; its running job fails",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				opts, err := flags.options(ctx, env, client)
				if err != nil {
					return err
				}
				opts.Force = force
				w, found, err := client.Worker(ctx, args[0])
				if err != nil {
					return err
				}
				if found && w.Working && !w.Heartbeat.IsZero() {
					opts.Silent = deadAfter
				}
				_, err = client.Prune(ctx, args[0], opts)
				if errors.Is(err, resque.ErrWorkerAlive) && !force {
					err = fmt.Errorf("%w; stop it, or use 'goresque kill'; with --force it is pruned anyway: its running job is recorded as failed, but goes on", err)
				}
				if errors.Is(err, resque.ErrNoWorker) {
					err = fmt.Errorf("%w: 'goresque list' shows the ids", err)
				}
				return env.done(err, "** removed "+printable(args[0]))
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "prune the worker even if it is alive")
	flags.add(cmd)
	return cmd
}
