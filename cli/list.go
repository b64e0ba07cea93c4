package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

// listCommand lists the registered workers.
//
// Ruby: resque list.
func listCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the registered workers, in Go and Ruby",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				workers, err := client.Workers(ctx)
				if err == nil && len(workers) == 0 && !asJSON {
					fmt.Fprintln(env.Stdout, "None")
				}
				for _, w := range workers {
					if asJSON {
						env.printJSON(asWorkerJSON(w))
					} else {
						fmt.Fprintf(env.Stdout, "%s (%s)\n", printable(w.ID), w.State())
					}
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	return cmd
}

// workerJSON is a worker as --json prints it. Unknown values are null or zero.
type workerJSON struct {
	ID        string      `json:"id"`
	Host      string      `json:"host"`
	PID       int         `json:"pid"`
	Slot      int         `json:"slot"`
	Go        bool        `json:"go"`
	Queues    []string    `json:"queues"`
	State     string      `json:"state"`
	Started   *time.Time  `json:"started"`
	Heartbeat *time.Time  `json:"heartbeat"`
	Processed int64       `json:"processed"`
	Failed    int64       `json:"failed"`
	Job       *inHandJSON `json:"job"`
	Damage    string      `json:"damage,omitempty"`
}

type inHandJSON struct {
	Queue string            `json:"queue"`
	RunAt *time.Time        `json:"run_at"`
	Class string            `json:"class"`
	Args  []json.RawMessage `json:"args"`
	Rails *railsJSON        `json:"active_job,omitempty"` // only for a Rails job
}

func asWorkerJSON(w resque.RegisteredWorker) workerJSON {
	j := workerJSON{
		ID: w.ID, Host: w.Host, PID: w.PID, Slot: w.Slot, Go: w.Go, Queues: append([]string{}, w.Queues...),
		State: w.State(), Started: known(w.Started), Heartbeat: known(w.Heartbeat), Processed: w.Processed, Failed: w.Failed,
	}
	if w.Damage != nil {
		j.Damage = w.Damage.Error()
	}
	if w.Job != nil {
		j.Job = &inHandJSON{
			Queue: w.Job.Queue, RunAt: known(w.RunAt), Class: w.Job.Class, Args: append([]json.RawMessage{}, w.Job.Args...),
			Rails: asRailsJSON(w.Job),
		}
	}
	return j
}

func known(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
