package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

// queuesCommand lists the queues.
//
// Ruby: Resque.queue_sizes.
func queuesCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "queues",
		Short: "List the queues with their sizes, or remove some",
		Example: `  goresque queues
  goresque queues --json | jq -s 'map(.size) | add'
  goresque queues remove exports`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				pauses, err := client.Pauses(ctx)
				if err != nil {
					return err
				}
				sizes, err := client.QueueSizes(ctx)
				for _, name := range slices.Sorted(maps.Keys(sizes)) {
					paused := slices.Contains(pauses.Queues, name)
					if asJSON {
						env.printJSON(queueJSON{name, sizes[name], paused})
						continue
					}
					text := printable(name)
					if paused {
						text += "  (paused)"
					}
					fmt.Fprintf(env.Stdout, "%9d  %s\n", sizes[name], text)
				}
				if err == nil && len(sizes) == 0 && !asJSON {
					fmt.Fprintln(env.Stdout, "None")
				}
				if pauses.All {
					fmt.Fprintln(env.Stderr, "All workers are paused: 'goresque resume' lets them take jobs again")
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line: queue, size, paused")
	cmd.AddCommand(removeQueueCommand(env))
	return cmd
}

// queueJSON is a queue as --json prints it.
type queueJSON struct {
	Queue  string `json:"queue"`
	Size   int64  `json:"size"`
	Paused bool   `json:"paused"` // by name, not together with all
}

// removeQueueCommand removes queues with their jobs.
//
// Ruby: Resque.remove_queue.
func removeQueueCommand(env *Env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "remove QUEUE…",
		Short: "Remove queues and all jobs in them",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withJobs(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				known, err := client.Queues(ctx)
				if err != nil {
					return err
				}
				var wrong error
				for _, name := range args {
					if !slices.Contains(known, name) {
						wrong = errors.Join(wrong, fmt.Errorf("queue %q does not exist: 'goresque queues' lists the queues", name))
						continue
					}
					wrong = errors.Join(wrong, env.removeQueue(ctx, client, name, yes))
				}
				return wrong
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
	return cmd
}

func (e *Env) removeQueue(ctx context.Context, client *resque.Client, name string, yes bool) error {
	size, err := client.Size(ctx, name)
	if err != nil {
		return err
	}
	if err := e.confirm(yes, "remove queue %s with its jobs (%d)", printable(name), size); err != nil {
		return err
	}
	jobs, _, err := client.RemoveQueue(ctx, name)
	return e.done(err, fmt.Sprintf("** removed queue %s with its jobs (%d)", printable(name), jobs))
}
