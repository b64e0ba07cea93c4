package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

// removeCommand unregisters a worker.
//
// Ruby: resque remove.
func removeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "remove ID",
		Short: "Unregister a worker that is gone; a job in its hand fails",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				return env.done(client.RemoveWorker(ctx, args[0]), "** removed "+printable(args[0]))
			})
		},
	}
}
