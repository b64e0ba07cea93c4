package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

func delayedRunCommand(env *Env) *cobra.Command {
	var flags delayedActFlags
	cmd := &cobra.Command{
		Use:   "run ID…",
		Short: "Take delayed jobs to their queues now",
		Example: `  goresque delayed run 1768480796:0-2fd4e1c67a2d28fc
  goresque delayed run --all --class Exporter --due-before 2h`,
		RunE: func(cmd *cobra.Command, named []string) error {
			ids, err := flags.check(named)
			if err != nil {
				return err
			}
			filter, err := flags.read(flags.all)
			if err != nil {
				return err
			}
			return env.withDelayed(cmd.Context(), func(ctx context.Context, d *resque.Delayed) error {
				if !flags.all {
					p, err := d.Run(ctx, ids...)
					return env.actedDelayed(p, "run", flags.asJSON, err)
				}
				if err := env.confirmDelayed(ctx, d, "run", filter, flags.yes); err != nil {
					return err
				}
				p, err := d.RunAll(ctx, filter, env.progress())
				return env.actedDelayed(p, "run", flags.asJSON, err)
			})
		},
	}
	flags.add(cmd)
	return cmd
}

func delayedRemoveCommand(env *Env) *cobra.Command {
	var flags delayedActFlags
	var keep seconds
	cmd := &cobra.Command{
		Use:   "remove ID…",
		Short: "Cancel delayed jobs",
		Example: `  goresque delayed remove 1768480796:0-2fd4e1c67a2d28fc
  goresque delayed remove --all --class Exporter --args '[42]' --keep 1h`,
		RunE: func(cmd *cobra.Command, named []string) error {
			ids, err := flags.check(named)
			if err != nil {
				return err
			}
			filter, err := flags.read(flags.all)
			if err != nil {
				return err
			}
			how := resque.RemoveOptions{Keep: keep.duration()}
			return env.withDelayed(cmd.Context(), func(ctx context.Context, d *resque.Delayed) error {
				if flags.all {
					return env.removeDelayed(ctx, d, how, filter, flags)
				}
				if err := env.confirm(flags.yes, "cancel %d delayed job(s)", len(ids)); err != nil {
					return err
				}
				p, err := d.Remove(ctx, how, ids...)
				return env.actedDelayed(p, "removed", flags.asJSON, err)
			})
		},
	}
	flags.add(cmd)
	addKeepDelayed(cmd, &keep)
	return cmd
}

func delayedClearCommand(env *Env) *cobra.Command {
	var flags delayedActFlags
	var keep seconds
	cmd := &cobra.Command{
		Use:   "clear",
		Short: "Cancel all delayed jobs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withDelayed(cmd.Context(), func(ctx context.Context, d *resque.Delayed) error {
				return env.removeDelayed(ctx, d, resque.RemoveOptions{Keep: keep.duration()}, resque.DelayedFilter{All: true}, flags)
			})
		},
	}
	flags.addCommon(cmd)
	addKeepDelayed(cmd, &keep)
	return cmd
}

func addKeepDelayed(cmd *cobra.Command, keep *seconds) {
	cmd.Flags().Var(keep, "keep", "how long 'delayed restore' can restore them (default: not at all)")
}

func delayedRestoreCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "restore TRASH",
		Short: "Restore delayed jobs that were cancelled with --keep",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withDelayed(cmd.Context(), func(ctx context.Context, d *resque.Delayed) error {
				n, err := d.Restore(ctx, args[0])
				if asJSON && (n > 0 || err == nil) {
					env.printJSON(map[string]any{"restored": n})
					return err
				}
				return env.done(err, fmt.Sprintf("restored %d", n))
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
adds these seconds to the list, and removes seconds that have no jobs. It looks at all keys
of Redis, in small steps.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withDelayed(cmd.Context(), func(ctx context.Context, d *resque.Delayed) error {
				r, err := d.Repair(ctx, dry)
				switch {
				case err != nil:
					return err
				case asJSON:
					env.printJSON(map[string]any{"added": r.Added, "removed": r.Removed, "dry_run": dry})
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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object: added, removed, dry_run")
	return cmd
}

func (e *Env) removeDelayed(ctx context.Context, d *resque.Delayed, how resque.RemoveOptions, filter resque.DelayedFilter, flags delayedActFlags) error {
	if err := e.confirmDelayed(ctx, d, "cancel", filter, flags.yes); err != nil {
		return err
	}
	p, err := d.RemoveAll(ctx, how, filter, e.progress())
	return e.actedDelayed(p, "removed", flags.asJSON, err)
}

// confirmDelayed asks for confirmation with the number of matching jobs.
func (e *Env) confirmDelayed(ctx context.Context, d *resque.Delayed, what string, filter resque.DelayedFilter, yes bool) error {
	if yes {
		return nil
	}
	n, err := d.Count(ctx, filter)
	if err != nil {
		return err
	}
	return e.confirm(false, "%s %d delayed job(s)", what, n)
}

// actedDelayed prints the result.
func (e *Env) actedDelayed(p resque.BulkProgress, verb string, asJSON bool, err error) error {
	if asJSON {
		undo := p.Trash
		if undo == nil {
			undo = []string{}
		}
		e.printJSON(map[string]any{"done": p.Done, "gone": p.Gone, "refused": p.Refused, "undo": undo})
		return err
	}
	said := fmt.Sprintf("%s %d", verb, p.Done)
	if p.Gone > 0 {
		said += fmt.Sprintf(", %d no longer existed", p.Gone)
	}
	if p.Refused > 0 {
		said += fmt.Sprintf(", %d skipped (damaged)", p.Refused)
	}
	if p.Done > 0 || err == nil {
		fmt.Fprintln(e.Stdout, said)
	}
	for _, trash := range p.Trash {
		fmt.Fprintf(e.Stdout, "undo: goresque delayed restore %s\n", trash)
	}
	return err
}
