package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/batch"
)

// batchesCommand shows and cancels batches.
func batchesCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "batches",
		Short: "List, show and cancel batches of jobs",
		Long: `Lists, shows and cancels batches: groups of jobs with a job that is enqueued when all of
them have ended.`,
		Example: `  goresque batches list
  goresque batches show 019aa0b1c2d-k3j5m7n9p2q4
  goresque batches cancel 019aa0b1c2d-k3j5m7n9p2q4`,
		Args: cobra.NoArgs, // with RunE: an unknown subcommand is an error
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(batchesListCommand(env), batchesShowCommand(env), batchesCancelCommand(env))
	return cmd
}

func batchesListCommand(env *Env) *cobra.Command {
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the batches, first those that are not complete",
		Long: `Lists the batches: first those that are not complete, the latest first, and then the others,
the one that was completed last first. A batch is not listed any more some time after its last
callback was enqueued, by default after 30 days.`,
		Example: `  goresque batches list --json --limit 0 | jq .pending`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLimit(limit); err != nil {
				return err
			}
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				return env.listBatches(ctx, client, int64(limit), asJSON)
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "maximum number of batches; 0 for all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	return cmd
}

func (e *Env) listBatches(ctx context.Context, client *resque.Client, limit int64, asJSON bool) error {
	const part = 500
	for at := int64(0); ; at += part {
		n := int64(part)
		if limit > 0 {
			n = min(n, limit-at)
		}
		batches, total, err := batch.List(ctx, client, at, n)
		if err != nil {
			return err
		}
		if total == 0 && !asJSON {
			fmt.Fprintln(e.Stdout, "None")
		}
		for _, b := range batches {
			if asJSON {
				e.printJSON(asBatchJSON(b))
			} else {
				fmt.Fprintln(e.Stdout, batchLine(b))
			}
		}
		switch end := at + n; {
		case end >= total:
			return nil
		case limit > 0 && end >= limit:
			if !asJSON {
				fmt.Fprintf(e.Stderr, "Only the first %d of %d are listed: --limit 0 lists all.\n", limit, total)
			}
			return nil
		}
	}
}

// batchLine returns a batch on one line.
func batchLine(b batch.Status) string {
	parts := []string{fmt.Sprintf("%s  %-9s  %d of %d ended", b.ID, b.State(), b.Ended(), b.Total)}
	for _, c := range []struct {
		n    int64
		what string
	}{{b.Failed, "failed"}, {b.Abandoned, "abandoned"}, {b.Skipped, "skipped"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	line := strings.Join(parts, ", ")
	if b.Description != "" {
		line += "  " + oneLine(b.Description, 60)
	}
	if b.Fault != "" {
		line += "  fault: " + oneLine(b.Fault, 120)
	}
	return line
}

func batchesShowCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show a batch",
		Example: `  goresque batches show 019aa0b1c2d-k3j5m7n9p2q4`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				if _, err := batch.Open(client, args[0]); err != nil {
					return UsageErrorf("%w (ids are as 'goresque batches list' prints them)", err)
				}
				b, ok, err := batch.Get(ctx, client, args[0])
				switch {
				case err != nil:
					return err
				case !ok:
					return fmt.Errorf("batch %s does not exist, or has expired", args[0])
				case asJSON:
					env.printJSON(asBatchJSON(b))
				default:
					env.printBatch(b)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

func (e *Env) printBatch(b batch.Status) {
	fmt.Fprintln(e.Stdout, batchLine(b))
	for _, at := range []struct {
		what string
		time time.Time
	}{{"created", b.Created}, {"sealed", b.Sealed}, {"canceled", b.Canceled}, {"complete", b.Completed}, {"succeeded", b.Succeeded}} {
		if !at.time.IsZero() {
			fmt.Fprintf(e.Stdout, "  %-10s %s\n", at.what, at.time.Format(time.RFC3339))
		}
	}
	for _, c := range []struct {
		name string
		job  *resque.Payload
	}{{"Complete:", b.Complete}, {"Success:", b.Success}} {
		if c.job != nil {
			fmt.Fprintf(e.Stdout, "  %-10s %s\n", c.name, oneLine(string(c.job.Raw), 200))
		}
	}
	if b.Failed > 0 {
		fmt.Fprintf(e.Stdout, "  the failed jobs: goresque failed list --batch %s\n", b.ID)
	}
}

func batchesCancelCommand(env *Env) *cobra.Command {
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "cancel ID",
		Short: "Cancel a batch: its waiting jobs are not performed",
		Long: `Cancels a batch. Its jobs that have not begun are not performed: the workers take them out of
their queues and count them as skipped. Running jobs are performed to their end. When all jobs
have ended, the callback Complete is enqueued; Success is not.`,
		Example: `  goresque batches cancel 019aa0b1c2d-k3j5m7n9p2q4`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				b, err := batch.Open(client, args[0])
				if err != nil {
					return UsageErrorf("%w (ids are as 'goresque batches list' prints them)", err)
				}
				s, ok, err := batch.Get(ctx, client, args[0])
				if err != nil {
					return err
				}
				switch {
				case !ok:
					return fmt.Errorf("batch %s does not exist, or has expired", args[0])
				case !s.Completed.IsZero():
					return fmt.Errorf("batch %s is not canceled: all its jobs have ended", args[0])
				}
				if err := env.confirm(yes, "cancel the batch; %d job(s) have not ended", s.Pending); err != nil {
					return err
				}
				if err := b.Cancel(ctx); err != nil {
					return err
				}
				env.printChange(asJSON, map[string]any{"id": s.ID, "canceled": true, "pending": s.Pending},
					fmt.Sprintf("canceled batch %s; %d job(s) had not ended", s.ID, s.Pending))
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// batchJSON is a batch as --json prints it.
type batchJSON struct {
	ID          string          `json:"id"`
	Description string          `json:"description"`
	State       batch.State     `json:"state"`
	Total       int64           `json:"total"`
	Pending     int64           `json:"pending"`
	Failed      int64           `json:"failed"`
	Abandoned   int64           `json:"abandoned"`
	Skipped     int64           `json:"skipped"`
	Created     *time.Time      `json:"created"`
	Sealed      *time.Time      `json:"sealed"`
	Canceled    *time.Time      `json:"canceled"`
	Completed   *time.Time      `json:"completed"`
	Succeeded   *time.Time      `json:"succeeded"`
	Complete    json.RawMessage `json:"complete"` // the payload of the callback
	Success     json.RawMessage `json:"success"`
	Fault       string          `json:"fault,omitempty"`
}

func asBatchJSON(b batch.Status) batchJSON {
	callback := func(job *resque.Payload) json.RawMessage {
		if job == nil || !json.Valid(job.Raw) {
			return json.RawMessage("null")
		}
		return job.Raw
	}
	return batchJSON{
		ID: b.ID, Description: b.Description, State: b.State(),
		Total: b.Total, Pending: b.Pending, Failed: b.Failed, Abandoned: b.Abandoned, Skipped: b.Skipped,
		Created: known(b.Created), Sealed: known(b.Sealed), Canceled: known(b.Canceled), Completed: known(b.Completed), Succeeded: known(b.Succeeded),
		Complete: callback(b.Complete), Success: callback(b.Success), Fault: b.Fault,
	}
}
