package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
)

// actFlags are the flags of commands that act on failures, either named ones or all
// that match.
type actFlags struct {
	filterFlags
	all, yes bool
}

func (f *actFlags) add(cmd *cobra.Command, all string) {
	f.filterFlags.add(cmd)
	cmd.Flags().BoolVar(&f.all, "all", false, all)
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask for confirmation")
}

// check parses the ids.
func (f *actFlags) check(named []string) ([]resque.FailureID, error) {
	return parseNamed(failures(), named, f.all, f.given(), resque.ParseFailureID)
}

func failedRetryCommand(env *Env) *cobra.Command {
	var flags actFlags
	var how resque.RequeueOptions
	var args string
	cmd := &cobra.Command{
		Use:   "retry ID…",
		Short: "Retry failed jobs",
		Long: `Puts failed jobs back on their queues, with the same payload. The failures stay in the
list, marked as retried, unless --remove is given. Failures that were retried before
are skipped unless --again is given.`,
		Example: `  goresque failed retry 17-2fd4e1c67a2d28fc
  goresque failed retry 17-2fd4e1c67a2d28fc --args '[42, "csv"]'
  goresque failed retry --all --exception Net::ReadTimeout --since 2h --to-queue slow`,
		RunE: func(cmd *cobra.Command, named []string) error {
			ids, err := flags.check(named)
			if err == nil {
				how.Args, err = newArgs(args)
			}
			if err != nil {
				return err
			}
			return env.withFailures(cmd.Context(), func(ctx context.Context, f *resque.Failures) error {
				if !flags.all {
					p, err := f.Requeue(ctx, how, ids...)
					return env.acted(failures(), p, "retried", false, err)
				}
				filter := flags.read()
				if !how.Again {
					filter.Requeued = resque.NotRequeued
				}
				if err := env.confirmAll(ctx, f, "retry", filter, flags.yes); err != nil {
					return err
				}
				p, err := f.RequeueAll(ctx, how, filter, env.progress())
				return env.acted(failures(), p, "retried", false, err)
			})
		},
	}
	flags.add(cmd, "all failures that match the filters")
	cmd.Flags().StringVar(&how.Queue, "to-queue", "", "the queue to put the jobs on (default: the queue they were on)")
	cmd.Flags().StringVar(&args, "args", "", "new arguments, as a JSON array")
	cmd.Flags().BoolVar(&how.Again, "again", false, "also retry failures that were retried before")
	cmd.Flags().BoolVar(&how.Remove, "remove", false, "remove the failures instead of marking them as retried")
	return cmd
}

// newArgs parses --args. It returns nil if the flag is not given.
func newArgs(text string) ([]any, error) {
	if text == "" {
		return nil, nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal([]byte(text), &items); err != nil || items == nil {
		return nil, UsageErrorf("--args must be a JSON array, such as '[42, \"csv\"]', got %q", text)
	}
	args := make([]any, len(items))
	for i, item := range items {
		spelled, err := rubyjson.Respell(nil, item)
		if err != nil {
			return nil, UsageErrorf("--args: argument %d: %w", i+1, err)
		}
		args[i] = json.RawMessage(spelled)
	}
	return args, nil
}

func failedRemoveCommand(env *Env) *cobra.Command {
	var flags actFlags
	var keep seconds
	cmd := &cobra.Command{
		Use:   "remove ID…",
		Short: "Remove failed jobs from the list",
		Example: `  goresque failed remove 17-2fd4e1c67a2d28fc
  goresque failed remove --all --class Exporter --until 30d --yes`,
		RunE: func(cmd *cobra.Command, named []string) error {
			ids, err := flags.check(named)
			if err != nil {
				return err
			}
			how := resque.RemoveOptions{Keep: keep.duration()}
			return env.withFailures(cmd.Context(), func(ctx context.Context, f *resque.Failures) error {
				if flags.all {
					return env.removeAll(ctx, f, how, flags.read(), flags.yes)
				}
				if err := env.confirm(flags.yes, "remove %d failure(s)", len(ids)); err != nil {
					return err
				}
				p, err := f.Remove(ctx, how, ids...)
				return env.acted(failures(), p, "removed", false, err)
			})
		},
	}
	flags.add(cmd, "all failures that match the filters")
	addKeep(cmd, &keep)
	return cmd
}

func failedClearCommand(env *Env) *cobra.Command {
	var flags filterFlags
	var keep seconds
	var retried, yes bool
	cmd := &cobra.Command{
		Use:   "clear",
		Short: "Remove all failed jobs, or all that were retried",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter := flags.read()
			if retried {
				filter.Requeued = resque.OnlyRequeued
			}
			return env.withFailures(cmd.Context(), func(ctx context.Context, f *resque.Failures) error {
				return env.removeAll(ctx, f, resque.RemoveOptions{Keep: keep.duration()}, filter, yes)
			})
		},
	}
	flags.addLists(cmd)
	addKeep(cmd, &keep)
	cmd.Flags().BoolVar(&retried, "retried", false, "only failures that were retried")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
	return cmd
}

func addKeep(cmd *cobra.Command, keep *seconds) {
	cmd.Flags().Var(keep, "keep", "how long 'failed restore' can restore them, such as 1h (default: not at all)")
}

func failedRestoreCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "restore TOKEN",
		Short: "Restore failures that were removed with --keep",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withFailures(cmd.Context(), func(ctx context.Context, f *resque.Failures) error {
				n, err := f.Restore(ctx, args[0])
				return env.done(err, fmt.Sprintf("restored %d", n))
			})
		},
	}
}

func (e *Env) removeAll(ctx context.Context, f *resque.Failures, how resque.RemoveOptions, filter resque.FailureFilter, yes bool) error {
	if err := e.confirmAll(ctx, f, "remove", filter, yes); err != nil {
		return err
	}
	p, err := f.RemoveAll(ctx, how, filter, e.progress())
	return e.acted(failures(), p, "removed", false, err)
}

// confirmAll asks for confirmation with the number of matching failures, and notes
// those that were left out because their time is unknown.
func (e *Env) confirmAll(ctx context.Context, f *resque.Failures, what string, filter resque.FailureFilter, yes bool) error {
	if err := e.noteUnknownTimes(ctx, f, filter); err != nil {
		return err
	}
	if yes {
		return nil
	}
	n, err := f.Count(ctx, filter)
	if err != nil {
		return err
	}
	return e.confirm(false, "%s %d failure(s)", what, n)
}
