package cli

import (
	"context"
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
	cmd := &cobra.Command{
		Use:   "remove ID",
		Short: "Unregister a worker that is gone; its running job fails",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				w, found, err := client.Worker(ctx, args[0])
				if err != nil {
					return err
				}
				if found && !force && w.Working && !w.Heartbeat.IsZero() && w.Silence < deadAfter {
					return fmt.Errorf("worker %s is running a job, and its last heartbeat was %v ago: the job would be recorded as failed and still run; stop the worker, use 'goresque kill', or remove it anyway with --force",
						printable(args[0]), w.Silence.Round(time.Second))
				}
				return env.done(client.RemoveWorker(ctx, args[0]), "** removed "+printable(args[0]))
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also remove a worker that is alive and running a job")
	return cmd
}
