package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/status"
)

// statusCommand shows the statuses of jobs.
func statusCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the progress of jobs, and kill them",
		Long: `Shows the statuses of jobs whose classes have one, in Go (package status) or in Ruby
(resque-status), and kills such jobs.`,
		Args: cobra.NoArgs, // with RunE: an unknown subcommand is an error
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(statusListCommand(env), statusShowCommand(env), statusKillCommand(env), statusClearCommand(env))
	return cmd
}

func statusListCommand(env *Env) *cobra.Command {
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the statuses, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLimit(limit); err != nil {
				return err
			}
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				return list(env, status.All(ctx, client), limit, asJSON, func(s status.Status) { env.printStatus(s, asJSON) })
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "maximum number of statuses; 0 for all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line, as in Redis and with pct_complete")
	return cmd
}

func (e *Env) printStatus(s status.Status, asJSON bool) {
	if asJSON {
		e.printJSON(s)
		return
	}
	fmt.Fprintf(e.Stdout, "%s  %-9s %3d%%", printable(s.ID), printable(string(s.State)), s.Percent())
	for _, text := range []string{s.Name, s.Message} {
		if text != "" {
			fmt.Fprintf(e.Stdout, "  %s", oneLine(text, 100))
		}
	}
	fmt.Fprintln(e.Stdout)
}

func statusShowCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one status",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				s, ok, err := status.Get(ctx, client, args[0])
				switch {
				case err != nil:
					return err
				case !ok:
					return noStatus(args[0])
				case asJSON:
					env.printJSON(s)
					return nil
				}
				fmt.Fprintf(env.Stdout, "id       %s\nstate    %s\n", printable(s.ID), printable(string(s.State)))
				if s.Total > 0 {
					fmt.Fprintf(env.Stdout, "progress %v of %v (%d%%)\n", s.Num, s.Total, s.Percent())
				}
				if !s.Time.IsZero() {
					fmt.Fprintf(env.Stdout, "created  %s\n", s.Time.UTC().Format(time.RFC3339))
				}
				fmt.Fprintf(env.Stdout, "name     %s\nmessage  %s\noptions  %s\n", harmless(s.Name), harmless(s.Message), harmless(string(s.Options)))
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object, as in Redis and with pct_complete")
	return cmd
}

func noStatus(id string) error {
	return fmt.Errorf("there is no status %q: it has expired or was cleared, or the job has none ('goresque status list' lists them)", id)
}

func statusKillCommand(env *Env) *cobra.Command {
	var all, yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "kill ID…",
		Short: "Kill jobs by the ids of their statuses",
		Long: `Kills jobs. A waiting job ends as killed when a worker takes it, without being performed.
The context of a running one ends; a Ruby worker kills its job when it next reports
progress. A killed job has not failed and is not retried.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return UsageErrorf("give either the ids of statuses, or --all")
			}
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				if all {
					if err := env.confirm(yes, "kill all jobs that have a status and have not ended"); err != nil {
						return err
					}
					n, err := status.KillAll(ctx, client)
					if err == nil {
						env.printChange(asJSON, map[string]any{"killed": n}, fmt.Sprintf("killing %d job(s)", n))
					}
					return err
				}
				var wrong []error
				for _, id := range args {
					ok, err := status.Kill(ctx, client, id)
					switch {
					case err != nil:
						wrong = append(wrong, err)
					case !ok:
						wrong = append(wrong, fmt.Errorf("job %q is not killed: it has ended, or has no status", id))
					default:
						env.printChange(asJSON, map[string]any{"id": id, "killed": true}, "killing job "+printable(id))
					}
				}
				return errors.Join(wrong...)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "kill all jobs that have a status and have not ended")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	return cmd
}

func statusClearCommand(env *Env) *cobra.Command {
	var states []string
	var all, yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "clear",
		Short: "Remove statuses; the jobs stay",
		Example: `  goresque status clear --state completed,failed
  goresque status clear --all`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if all == (len(states) > 0) {
				return UsageErrorf("give either --state or --all")
			}
			in := status.States()
			if !all {
				in = nil
				for _, s := range states {
					if !slices.Contains(status.States(), status.State(s)) {
						return UsageErrorf("invalid state %q (use %s)", s, strings.Trim(fmt.Sprint(status.States()), "[]"))
					}
					in = append(in, status.State(s))
				}
			}
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				if err := env.confirm(yes, "remove the statuses of jobs"); err != nil {
					return err
				}
				n, err := status.Clear(ctx, client, in...)
				if err == nil || n > 0 {
					env.printChange(asJSON, map[string]any{"removed": n}, fmt.Sprintf("removed %d status(es)", n))
				}
				return err
			})
		},
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "remove the statuses in these states: queued, working, completed, failed, killed")
	cmd.Flags().BoolVar(&all, "all", false, "remove the statuses in all states")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}
