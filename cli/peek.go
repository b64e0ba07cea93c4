package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// peekCommand shows the next jobs of a queue.
//
// Ruby: Resque.peek.
func peekCommand(env *Env) *cobra.Command {
	var start, limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "peek QUEUE",
		Short: "Show the next jobs of a queue without removing them",
		Example: `  goresque peek exports
  goresque peek exports --start -5
  goresque peek exports --limit 0 --json | jq .args`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkLimit(limit); err != nil {
				return err
			}
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				return env.peek(ctx, client, args[0], start, limit, asJSON)
			})
		},
	}
	cmd.Flags().IntVar(&start, "start", 0, "the first position; a negative one counts from the end")
	cmd.Flags().IntVar(&limit, "limit", 10, "maximum number of jobs; 0 for all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line: queue, class, args, payload")
	return cmd
}

// waitingJSON is a job in a queue as --json prints it.
type waitingJSON struct {
	Queue   string            `json:"queue"`
	Class   string            `json:"class"`
	Args    []json.RawMessage `json:"args"`
	Payload json.RawMessage   `json:"payload"`
	Rails   *railsJSON        `json:"rails,omitempty"` // only for a Rails job
	Damage  string            `json:"damage,omitempty"`
	Raw     string            `json:"raw,omitempty"` // only if damaged
}

func (e *Env) peek(ctx context.Context, client *resque.Client, queue string, start, limit int, asJSON bool) error {
	if limit == 0 {
		limit = -1
	}
	shown := 0
	for job, err := range client.Peek(ctx, queue, start, limit) {
		var unreadable *resque.UnreadableError
		if err != nil && !errors.As(err, &unreadable) {
			return err
		}
		shown++
		switch {
		case asJSON:
			e.printJSON(asWaitingJSON(job, unreadable))
		case unreadable != nil:
			fmt.Fprintf(e.Stdout, "unreadable: %s\n", oneLine(string(job.Raw), 120))
		default:
			inside, _ := activejob.Unwrap(job)
			fmt.Fprintf(e.Stdout, "%s %s\n", oneLine(inside.Class, 60), oneLine(argsText(inside.Args), 200))
		}
	}
	if shown > 0 {
		return nil
	}
	if !asJSON {
		fmt.Fprintln(e.Stdout, "None")
	}
	if start > 0 {
		size, err := client.Size(ctx, queue)
		if err == nil && size > 0 {
			fmt.Fprintf(e.Stderr, "Queue %s has %d job(s), and --start is %d: the first one is at position 0\n", printable(queue), size, start)
		}
		if err != nil || size > 0 {
			return err
		}
	}
	return e.noteQueue(ctx, client, queue)
}

func asWaitingJSON(job *resque.Payload, unreadable *resque.UnreadableError) waitingJSON {
	if unreadable != nil {
		return waitingJSON{Queue: job.Queue, Args: []json.RawMessage{}, Damage: unreadable.Err.Error(), Raw: string(job.Raw)}
	}
	return waitingJSON{Queue: job.Queue, Class: job.Class, Args: append([]json.RawMessage{}, job.Args...), Payload: job.Raw, Rails: asRailsJSON(job)}
}
