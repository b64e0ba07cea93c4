package cli

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
)

// enqueueCommand places one job on a queue.
//
// Ruby: Resque.enqueue_to.
func enqueueCommand(env *Env, mux *resque.Mux) *cobra.Command {
	var queue string
	cmd := &cobra.Command{
		Use:   "enqueue CLASS [ARG…]",
		Short: "Place a job on a queue",
		Long: `Places a job on a queue, for any worker of the same Redis, Go or Ruby. Each ARG
is read as JSON and, where it is none, taken as a string. Put -- before arguments
that begin with a dash.`,
		Example: `  goresque enqueue -q exports Exporter 42
  goresque enqueue -q mail Mailer ann@example.com '{"retry": true}'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			job := resque.Job{Queue: queue, Class: args[0]}
			for _, arg := range args[1:] {
				job.Args = append(job.Args, argument(arg))
			}
			if r, ok := mux.Route(job.Class); ok && job.Queue == "" {
				job.Queue = r.Queue
			}
			if job.Queue == "" {
				return Usage("no queue for class %s: say goresque enqueue -q QUEUE %s …", job.Class, job.Class)
			}
			payload, err := job.Payload()
			if err != nil {
				return Usage("%w", err)
			}
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				_, err := client.Enqueue(ctx, job)
				return env.done(err, "queued on "+job.Queue+": "+string(payload))
			})
		},
	}
	cmd.Flags().StringVarP(&queue, "queue", "q", "", "the queue (default: that of the class, where this command knows it)")
	return cmd
}

// argument is a shell's word as a job's argument: JSON, spelled anew as Ruby
// spells it, or else a string.
func argument(word string) any {
	if text, err := rubyjson.Respell(nil, []byte(word)); err == nil {
		return json.RawMessage(text)
	}
	return word
}
