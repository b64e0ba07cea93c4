package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/limit"
)

// limitsCommand lists, sets and clears the limits of queues.
func limitsCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "limits",
		Short: "List, set and clear the limits of queues",
		Long: `Lists, sets and clears the limits of queues: how many of their jobs run at once, and how many
start in a period. A worker uses the new limit for the next job that it takes. The other jobs
wait in their queue, in order. 'goresque limits held' shows the limits of classes and keys.
Limits apply to Go workers only.`,
		Args: cobra.NoArgs, // with RunE: an unknown subcommand is an error
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(limitsListCommand(env), limitsHeldCommand(env), limitsSetCommand(env), limitsClearCommand(env))
	return cmd
}

func limitsListCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the limits of queues, and what is used of them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				all, err := limit.List(ctx, client)
				for _, s := range all {
					env.printLimit(s, asJSON)
				}
				if err == nil && len(all) == 0 && !asJSON {
					fmt.Fprintln(env.Stdout, "None")
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	return cmd
}

// limitJSON is a limit as --json prints it.
type limitJSON struct {
	Queue       string  `json:"queue"`
	Concurrency int64   `json:"concurrency"` // 0 for no limit
	Rate        string  `json:"rate"`        // "" for no limit
	Burst       int64   `json:"burst"`
	Running     int64   `json:"running"`
	Waiting     int64   `json:"waiting"`
	Next        float64 `json:"next"` // seconds until the rate allows the next job
	Damage      string  `json:"damage,omitempty"`
}

func (e *Env) printLimit(s limit.State, asJSON bool) {
	if asJSON {
		j := limitJSON{
			Queue: s.Queue, Concurrency: s.Limit.Concurrency, Burst: s.Limit.Burst, Running: s.Running, Waiting: s.Waiting, Next: s.Next.Seconds(),
		}
		if s.Limit.Rate.Jobs > 0 {
			j.Rate = s.Limit.Rate.String()
		}
		if s.Err != nil {
			j.Damage = s.Err.Error()
		}
		e.printJSON(j)
		return
	}
	fmt.Fprintf(e.Stdout, "%s: %s; %d running, %d waiting", printable(s.Queue), s.Limit, s.Running, s.Waiting)
	if s.Next > 0 && s.Waiting > 0 {
		fmt.Fprintf(e.Stdout, ", next in %v", s.Next.Round(100*time.Millisecond))
	}
	if s.Err != nil {
		fmt.Fprintf(e.Stdout, "; not applied: %v", s.Err)
	}
	fmt.Fprintln(e.Stdout)
}

func limitsHeldCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "held",
		Short: "Show the limits of classes and keys that are in use, and by which workers",
		Long: `Shows the limits of classes that have a limit.Policy, if jobs use them: the class and the
key, the workers, and how many jobs wait. If the record of a worker was removed, the place
of its job stays taken until another job needs one. Then it is freed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				all, _, err := limit.ListHeld(ctx, client, 0)
				for _, h := range all {
					env.printHeld(h, asJSON)
				}
				if err == nil && len(all) == 0 && !asJSON {
					fmt.Fprintln(env.Stdout, "None")
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	return cmd
}

// heldJSON is a held limit as --json prints it.
type heldJSON struct {
	Limit   string       `json:"limit"`
	Holders []holderJSON `json:"holders"`
	Waiting int64        `json:"waiting"`
	Paused  float64      `json:"paused"` // seconds
}

type holderJSON struct {
	Worker string `json:"worker"`
	Dead   bool   `json:"dead"`
}

func (e *Env) printHeld(h limit.Held, asJSON bool) {
	if asJSON {
		j := heldJSON{Limit: h.Name, Waiting: h.Waiting, Paused: h.Paused.Seconds()}
		for _, holder := range h.Holders {
			j.Holders = append(j.Holders, holderJSON(holder))
		}
		e.printJSON(j)
		return
	}
	fmt.Fprintf(e.Stdout, "%s: %d held, %d waiting", printable(h.Name), len(h.Holders), h.Waiting)
	if h.Paused > 0 {
		fmt.Fprintf(e.Stdout, ", paused for %v", h.Paused.Round(time.Second))
	}
	fmt.Fprintln(e.Stdout)
	for _, holder := range h.Holders {
		note := ""
		if holder.Dead {
			note = " (its job has ended)"
		}
		fmt.Fprintf(e.Stdout, "  %s%s\n", printable(holder.Worker), note)
	}
}

func limitsSetCommand(env *Env) *cobra.Command {
	var (
		given  limit.Queue
		rate   string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "set QUEUE",
		Short: "Limit a queue, or change its limit",
		Long: `Limits how many jobs of QUEUE run at once, how many start in a period, or both. It replaces
the limit that the queue had. Jobs that run already count and continue.`,
		Example: `  goresque limits set exports --concurrency 5
  goresque limits set mail --rate 100/min --burst 10`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rated := cmd.Flags().Changed("rate")
			switch {
			case cmd.Flags().Changed("concurrency") && given.Concurrency < 1:
				return UsageErrorf("--concurrency is %d; it must be more than 0 ('goresque pause %s' stops the queue)", given.Concurrency, printable(args[0]))
			case given.Concurrency == 0 && !rated:
				return UsageErrorf("give --concurrency, --rate or both")
			case cmd.Flags().Changed("burst") && given.Burst < 1:
				return UsageErrorf("--burst is %d; it must be more than 0", given.Burst)
			case given.Burst > 0 && !rated:
				return UsageErrorf("--burst has no effect without --rate")
			}
			if rated {
				var err error
				if given.Rate, err = limit.ParseRate(rate); err != nil {
					return UsageErrorf("%v", err)
				}
			}
			if err := given.Validate(); err != nil {
				return UsageErrorf("%v", err)
			}
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				if err := limit.Set(ctx, client, args[0], given); err != nil {
					return err
				}
				env.printChange(asJSON, map[string]any{"queue": args[0], "limit": given.String()},
					"limited queue "+printable(args[0])+": "+given.String())
				return nil
			})
		},
	}
	cmd.Flags().Int64Var(&given.Concurrency, "concurrency", 0, "how many jobs run at once, in all Go workers together")
	cmd.Flags().StringVar(&rate, "rate", "", "how many jobs start in a period: 100/min, 5/s, 20/30s")
	cmd.Flags().Int64Var(&given.Burst, "burst", 0, "how many jobs may start at once after a time without jobs (default 1)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

func limitsClearCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "clear QUEUE…",
		Short: "Remove the limits of queues",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				var wrong error
				for _, queue := range args {
					existed, err := limit.Clear(ctx, client, queue)
					switch {
					case err != nil:
						wrong = errors.Join(wrong, err)
					case !existed:
						wrong = errors.Join(wrong, fmt.Errorf("queue %q has no limit: 'goresque limits list' lists the limits", queue))
					default:
						env.printChange(asJSON, map[string]any{"queue": queue, "cleared": true}, "removed the limit of queue "+printable(queue))
					}
				}
				return wrong
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	return cmd
}
