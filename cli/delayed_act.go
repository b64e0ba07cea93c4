package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

func delayedClearCommand(env *Env) *cobra.Command {
	var flags delayedActFlags
	var keep seconds
	cmd := &cobra.Command{
		Use:   "clear",
		Short: "Cancel all delayed jobs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withDelayedJobs(cmd.Context(), func(ctx context.Context, d *resque.Delayed) error {
				all := resque.DelayedFilter{All: true}
				if err := env.confirmWaiting(ctx, delayedJobs(), d, "cancel", all, flags.yes); err != nil {
					return err
				}
				p, err := d.RemoveAll(ctx, resque.RemoveOptions{Keep: keep.duration()}, all, env.progress())
				return env.acted(delayedJobs(), p, "removed", flags.asJSON, err)
			})
		},
	}
	flags.addCommon(cmd)
	addKeepDelayed(cmd, &keep)
	return cmd
}

func addKeepDelayed(cmd *cobra.Command, keep *seconds) {
	cmd.Flags().Var(keep, "keep", "how long 'delayed restore' can restore them, such as 1h (default: not at all)")
}

func delayedRestoreCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "restore TOKEN",
		Short: "Restore delayed jobs that were canceled with --keep",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withDelayedJobs(cmd.Context(), func(ctx context.Context, d *resque.Delayed) error {
				n, err := d.Restore(ctx, args[0])
				if asJSON && (n > 0 || err == nil) {
					env.printJSON(map[string]any{"restored": n})
					return err
				}
				if n > 0 || err == nil {
					fmt.Fprintf(env.Stdout, "restored %d\n", n)
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object: restored")
	return cmd
}

func delayedRepairCommand(env *Env) *cobra.Command {
	var dry, asJSON bool
	cmd := &cobra.Command{
		Use:   "repair",
		Short: "Find delayed jobs that no scheduler would move",
		Long: `Finds delayed jobs that no scheduler would ever move, because their second is missing from
the list of seconds. This happens if a Ruby program dies while it delays a job. The command
adds these seconds to the list, makes their jobs findable by their arguments, and removes
seconds that have no jobs. It looks at all keys of Redis, in small steps.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withDelayed(cmd.Context(), func(ctx context.Context, d *resque.Delayed) error {
				r, err := d.Repair(ctx, dry)
				switch {
				case err != nil:
					return err
				case asJSON:
					env.printJSON(map[string]any{"added": r.Added, "removed": r.Removed, "indexed": r.Indexed, "dry_run": dry})
				case dry:
					fmt.Fprintf(env.Stdout, "would add %d second(s) with jobs, would remove %d without\n", r.Added, r.Removed)
				default:
					fmt.Fprintf(env.Stdout, "added %d second(s) with jobs, removed %d without\n", r.Added, r.Removed)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "change nothing, and print what would be done")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object: added, removed, indexed, dry_run")
	return cmd
}
