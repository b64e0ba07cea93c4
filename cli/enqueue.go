package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
)

// enqueueCommand enqueues one job.
//
// Ruby: Resque.enqueue_to.
func enqueueCommand(env *Env) *cobra.Command {
	var queue string
	var at moment
	var in span
	var front, asJSON bool
	cmd := &cobra.Command{
		Use:   "enqueue CLASS [ARG…]",
		Short: "Enqueue or delay a job",
		Long: `Adds a job to a queue, for any worker on the same Redis, in Go or Ruby. Each ARG is
parsed as JSON; an ARG that is not JSON is a string. If this command knows the class,
the arguments must be those that its handler takes. Put -- before arguments that begin
with a dash. With --at or --in the job is delayed: a scheduler moves it to its queue when
it is due.`,
		Example: `  goresque enqueue -q exports Exporter 42
  goresque enqueue -q exports --in 90m Exporter 42
  goresque enqueue -q exports --at '2026-01-15 03:00' Exporter 42
  goresque enqueue --front Exporter 42
  goresque enqueue -q mail Mailer ann@example.com '{"retry": true}'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case in.given && at.text != "":
				return UsageErrorf("give either --at or --in, not both")
			case front && (in.given || at.text != ""):
				return UsageErrorf("a delayed job goes to the end of its queue: omit --front")
			case at.at.Year() > 9999, in.given && time.Now().Add(in.d).Year() > 9999:
				return UsageErrorf("a job cannot be delayed until after the year 9999")
			}
			client, err := env.NewClient(env.Redis())
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }()
			mux, err := env.newMux(cmd.Context(), client)
			if err != nil {
				return err
			}
			route, ok := mux.Route(args[0]) // includes the hooks of the class
			if !ok {
				route.Class = args[0]
			}
			route.Queue = cmp.Or(queue, route.Queue)
			if route.Queue == "" {
				return UsageErrorf("no queue for class %s: use goresque enqueue -q QUEUE %s …", args[0], args[0])
			}
			job := route.Job(arguments(args[1:])...)
			payload, err := job.Encode()
			if err == nil {
				err = check(mux, route, job.Queue, payload)
			}
			if err != nil {
				return UsageErrorf("%w", err)
			}
			switch {
			case in.given:
				job = job.In(in.d)
			case at.text != "":
				job = job.At(at.at)
			}
			if err := client.Redis().Ping(cmd.Context()); err != nil {
				return err
			}
			enqueue := client.Enqueue
			if front {
				enqueue = client.EnqueueFront
			}
			receipt, err := enqueue(cmd.Context(), job)
			if err == nil || receipt.Enqueued() {
				env.printEnqueued(receipt, payload, asJSON)
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&queue, "queue", "q", "", "the queue (default: the queue of the class, if this command knows the class)")
	cmd.Flags().BoolVar(&front, "front", false, "put the job at the front of the queue")
	cmd.Flags().Var(&at, "at", "delay the job until this time: a date such as '2026-01-15 03:00', or a Unix time")
	cmd.Flags().Var(&in, "in", "delay the job for this long: seconds, or a duration such as 90m or 7d")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object: queued, queue, payload, and due if the job is delayed")
	return cmd
}

// check returns an error if the class's handler cannot decode the job's arguments.
func check(mux *resque.Mux, route resque.Route, queue string, payload []byte) error {
	if route.Check == nil {
		return nil
	}
	job, err := resque.ParsePayload(queue, payload)
	if err == nil {
		job, err = mux.Unwrap(job)
	}
	if err == nil {
		err = route.Check(job)
	}
	var unfit *resque.ArgumentError
	if errors.As(err, &unfit) && unfit.Want == "string" && unfit.Field == "" {
		return fmt.Errorf(`%w; put a string that is also JSON in double quotes, as '"42"'`, err)
	}
	return err
}

// queuedJSON is the result as --json prints it.
type queuedJSON struct {
	Queued  bool            `json:"queued"` // in its queue, or delayed
	Queue   string          `json:"queue"`
	Payload json.RawMessage `json:"payload"`
	Due     *time.Time      `json:"due,omitempty"` // only if it is delayed
}

func (e *Env) printEnqueued(receipt resque.Receipt, payload []byte, asJSON bool) {
	switch {
	case asJSON:
		q := queuedJSON{Queued: receipt.Enqueued(), Queue: receipt.Queue, Payload: payload}
		if receipt.State == resque.Scheduled {
			q.Due = &receipt.Due
		}
		e.printJSON(q)
	case receipt.State == resque.Scheduled:
		fmt.Fprintf(e.Stdout, "delayed for %s until %s: %s\n", receipt.Queue, when(receipt.Due), payload)
	case receipt.Enqueued():
		fmt.Fprintf(e.Stdout, "queued on %s: %s\n", receipt.Queue, payload)
	case receipt.State == resque.Duplicate:
		fmt.Fprintf(e.Stdout, "not queued, because an equal job is there already: %s\n", payload)
	default:
		fmt.Fprintf(e.Stdout, "not queued, because a hook of the class refused it: %s\n", payload)
	}
}

func arguments(words []string) []any {
	var args []any
	for _, word := range words {
		args = append(args, argument(word))
	}
	return args
}

// argument returns a word of the command line as an argument of a job: JSON, spelled
// as Ruby spells it, or otherwise a string.
func argument(word string) any {
	if text, err := rubyjson.Respell(nil, []byte(word)); err == nil {
		return json.RawMessage(text)
	}
	return word
}
