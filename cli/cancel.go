package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// cancelCommand cancels jobs.
func cancelCommand(env *Env) *cobra.Command {
	var queue, worker string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "cancel CLASS [ARG…]",
		Short: "Cancel a job that waits, is delayed or runs",
		Long: `Cancels all copies of a job: those that wait in the queue or are delayed are removed, and
the contexts of those that Go workers perform end. A running job fails then, unless its
handler does something else, and is not retried. Each ARG is read as in 'goresque enqueue'.
With --worker, the job that this worker performs is canceled. 'goresque list' lists the ids
of workers.

Removed jobs cannot be restored. See 'goresque status kill' for jobs with a status.`,
		Example: `  goresque cancel -q exports Exporter 42
  goresque cancel --worker 'web1~go:4242:exports'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case worker != "" && (len(args) > 0 || queue != ""):
				return UsageErrorf("give either a job or --worker, not both")
			case worker == "" && len(args) == 0:
				return UsageErrorf("give the CLASS of the job, or --worker ID")
			}
			return env.withJobs(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				if worker != "" {
					return env.cancelOf(ctx, client, worker, asJSON)
				}
				mux, err := env.newMux(ctx, client)
				if err != nil {
					return err
				}
				route, ok := mux.Route(args[0]) // includes the hooks of the class
				if !ok {
					route.Class = args[0]
				}
				route.Queue = cmp.Or(queue, route.Queue)
				if route.Queue == "" {
					return UsageErrorf("no queue for class %s: use goresque cancel -q QUEUE %s …", args[0], args[0])
				}
				did, err := client.Cancel(ctx, route.Job(arguments(args[1:])...))
				if err != nil && did.Total() == 0 {
					return err
				}
				env.printChange(asJSON, map[string]any{"queued": did.Queued, "delayed": did.Delayed, "running": did.Running},
					fmt.Sprintf("canceled %d waiting, %d delayed and %d running", did.Queued, did.Delayed, did.Running))
				return err
			})
		},
	}
	cmd.Flags().StringVarP(&queue, "queue", "q", "", "the queue (default: the queue of the class, if this command knows the class)")
	cmd.Flags().StringVar(&worker, "worker", "", "cancel the job that the worker with this id performs")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// cancelOf cancels the job that a worker performs.
func (e *Env) cancelOf(ctx context.Context, client *resque.Client, worker string, asJSON bool) error {
	if _, ok := wire.ParseWorkerID(worker); !ok {
		return UsageErrorf("--worker: %q is not the id of a worker: 'goresque list' shows the ids", worker)
	}
	told, err := client.CancelRunning(ctx, worker, "")
	if err == nil && !told {
		exists, existsErr := client.WorkerExists(ctx, worker)
		switch {
		case existsErr != nil:
			err = existsErr
		case exists:
			err = fmt.Errorf("worker %q has no job now", worker)
		default:
			err = fmt.Errorf("worker %q does not exist: 'goresque list' lists the workers", worker)
		}
	}
	if err == nil {
		e.printChange(asJSON, map[string]any{"worker": worker, "running": 1}, "told "+printable(worker)+" to cancel its job")
	}
	return err
}
