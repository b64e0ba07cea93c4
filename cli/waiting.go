package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

// waitingJobs are delayed jobs, or those of them that wait for another attempt.
type waitingJobs interface {
	Count(ctx context.Context, filter resque.DelayedFilter) (int64, error)
	Run(ctx context.Context, ids ...resque.DelayedID) (resque.BulkProgress, error)
	RunAll(ctx context.Context, filter resque.DelayedFilter, progress func(resque.BulkProgress)) (resque.BulkProgress, error)
	Remove(ctx context.Context, how resque.RemoveOptions, ids ...resque.DelayedID) (resque.BulkProgress, error)
	RemoveAll(ctx context.Context, how resque.RemoveOptions, filter resque.DelayedFilter, progress func(resque.BulkProgress)) (resque.BulkProgress, error)
}

var _, _ waitingJobs = (*resque.Delayed)(nil), (*resque.Retries)(nil)

// waiting is what the commands that act on waiting jobs need.
type waiting[J waitingJobs] struct {
	kind
	with func(ctx context.Context, fn func(ctx context.Context, jobs J) error) error
}

// waitingAct is what a command does to waiting jobs, either named ones or all that match.
type waitingAct[J waitingJobs] struct {
	ask    string // such as "cancel"
	verb   string // such as "removed"
	always bool   // whether it also asks for confirmation if the jobs are named
	named  func(ctx context.Context, jobs J, ids []resque.DelayedID) (resque.BulkProgress, error)
	all    func(ctx context.Context, jobs J, filter resque.DelayedFilter) (resque.BulkProgress, error)
}

// run returns the function of a command.
func (w waiting[J]) run(env *Env, flags *delayedActFlags, act waitingAct[J]) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, named []string) error {
		ids, err := flags.check(w.kind, named)
		if err != nil {
			return err
		}
		filter, err := flags.read(flags.all)
		if err != nil {
			return err
		}
		return w.with(cmd.Context(), func(ctx context.Context, jobs J) error {
			switch {
			case flags.all:
				err = env.confirmWaiting(ctx, w.kind, jobs, act.ask, filter, flags.yes)
			case act.always:
				err = env.confirm(flags.yes, "%s %d %s", act.ask, len(ids), w.entry)
			}
			if err != nil {
				return err
			}
			var p resque.BulkProgress
			if flags.all {
				p, err = act.all(ctx, jobs, filter)
			} else {
				p, err = act.named(ctx, jobs, ids)
			}
			return env.acted(w.kind, p, act.verb, flags.asJSON, err)
		})
	}
}

// confirmWaiting asks for confirmation with the number of matching jobs.
func (e *Env) confirmWaiting(ctx context.Context, k kind, jobs waitingJobs, what string, filter resque.DelayedFilter, yes bool) error {
	if yes {
		return nil
	}
	n, err := jobs.Count(ctx, filter)
	if err != nil {
		return err
	}
	return e.confirm(false, "%s %d %s", what, n, k.entry)
}

func waitingRunCommand[J waitingJobs](env *Env, w waiting[J]) *cobra.Command {
	var flags delayedActFlags
	cmd := &cobra.Command{
		Use:   "run ID…",
		Short: "Take " + w.entries + " to their queues now",
		Example: `  goresque ` + w.command + ` run 1768480796:0-2fd4e1c67a2d28fc
  goresque ` + w.command + ` run --all --class Exporter --due-before 2h`,
		RunE: w.run(env, &flags, waitingAct[J]{
			ask: "run", verb: "run",
			named: func(ctx context.Context, jobs J, ids []resque.DelayedID) (resque.BulkProgress, error) {
				return jobs.Run(ctx, ids...)
			},
			all: func(ctx context.Context, jobs J, filter resque.DelayedFilter) (resque.BulkProgress, error) {
				return jobs.RunAll(ctx, filter, env.progress())
			},
		}),
	}
	flags.add(cmd)
	return cmd
}

func waitingRemoveCommand[J waitingJobs](env *Env, w waiting[J]) *cobra.Command {
	var flags delayedActFlags
	var keep seconds
	cmd := &cobra.Command{
		Use:   "remove ID…",
		Short: "Cancel " + w.entries,
		Example: `  goresque ` + w.command + ` remove 1768480796:0-2fd4e1c67a2d28fc
  goresque ` + w.command + ` remove --all --class Exporter --args '[42]' --keep 1h`,
		RunE: w.run(env, &flags, waitingAct[J]{
			ask: "cancel", verb: "removed", always: true,
			named: func(ctx context.Context, jobs J, ids []resque.DelayedID) (resque.BulkProgress, error) {
				return jobs.Remove(ctx, resque.RemoveOptions{Keep: keep.duration()}, ids...)
			},
			all: func(ctx context.Context, jobs J, filter resque.DelayedFilter) (resque.BulkProgress, error) {
				return jobs.RemoveAll(ctx, resque.RemoveOptions{Keep: keep.duration()}, filter, env.progress())
			},
		}),
	}
	flags.add(cmd)
	addKeepDelayed(cmd, &keep)
	return cmd
}
