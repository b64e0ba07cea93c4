package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

// failedCommand lists, shows, retries and removes failures.
//
// Ruby: Resque::Failure, and the Failed tab of its front end.
func failedCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "failed",
		Short: "List, show, retry and remove failed jobs",
		Long: `Lists, shows, retries and removes failed jobs. The id of a failure, as list prints it,
is its position and a digest of its record. If the failure was removed or changed,
nothing is done.`,
		Args: cobra.NoArgs, // with RunE: an unknown subcommand is an error
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		failedListCommand(env), failedShowCommand(env), failedRetryCommand(env),
		failedRemoveCommand(env), failedClearCommand(env), failedRestoreCommand(env),
	)
	return cmd
}

// filterFlags are the flags that select failures.
type filterFlags struct {
	filter       resque.FailureFilter
	since, until instant
	backend      choice
}

// backends returns Ruby's names for the failure backends.
func backends() []string { return []string{"redis", "redis_multi_queue"} }

func (f *filterFlags) add(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVar(&f.filter.Class, "class", "", "only failures of this class")
	set.Var((*batchID)(&f.filter.Batch), "batch", "only failures of jobs of the batch with this id")
	set.StringVar(&f.filter.Queue, "queue", "", "only failures from this queue")
	set.StringVar(&f.filter.Exception, "exception", "", "only failures with this exception")
	set.StringVar(&f.filter.Text, "text", "", "only failures with this text in their class, arguments, error, backtrace, worker or queue")
	set.Var(&f.since, "since", "only failures since this time: a date, or an age such as 2h or 7d")
	set.Var(&f.until, "until", "only failures before this time: a date, or an age such as 2h or 7d")
	cmd.PreRunE = func(*cobra.Command, []string) error { return ordered("since", f.since.at, "until", f.until.at) }
	f.addLists(cmd)
}

// addLists adds the flags that select lists of failures.
func (f *filterFlags) addLists(cmd *cobra.Command) {
	f.backend.of = backends()
	cmd.Flags().StringVar(&f.filter.List, "list", "", "only failures in this list, such as failed or exports_failed")
	cmd.Flags().Var(&f.backend, "failure-backend", "redis means only the list failed (default: also the lists of queues)")
	FromEnv(cmd, "failure-backend", "FAILURE_BACKEND")
}

// read returns the filter that the flags describe.
func (f *filterFlags) read() resque.FailureFilter {
	filter := f.filter
	filter.All = true // --all and clear say so
	filter.Since, filter.Until = f.since.at, f.until.at
	if filter.List == "" && f.backend.value == "redis" {
		filter.List = resque.FailedList
	}
	return filter
}

// given reports whether any filter was given.
func (f *filterFlags) given() bool {
	filter := f.read()
	filter.List, filter.All = "", false
	return filter != resque.FailureFilter{} || f.filter.List != ""
}

// withFailures calls fn with the failures in the command's Redis. The context ends at
// INT and TERM.
func (e *Env) withFailures(ctx context.Context, fn func(ctx context.Context, f *resque.Failures) error) error {
	return e.withClient(ctx, func(ctx context.Context, client *resque.Client) error {
		ctx, stop := untilSignal(ctx)
		defer stop()
		err := fn(ctx, client.Failures())
		switch {
		case errors.Is(err, resque.ErrNoFailureList):
			return UsageErrorf("%w; 'goresque failed list' shows the failures", err)
		case errors.Is(err, resque.ErrFailureRequeued):
			return fmt.Errorf("%w; use --again to retry it again", err)
		}
		return err
	})
}

// noteUnknownTimes prints how many failures the filter left out because their time is
// unknown. Hosts write failed_at in their own zone, and not every zone's name is
// unambiguous.
func (e *Env) noteUnknownTimes(ctx context.Context, f *resque.Failures, filter resque.FailureFilter) error {
	n, err := f.CountUnknownTimes(ctx, filter)
	if err == nil && n > 0 {
		fmt.Fprintf(e.Stderr, "Left out %d whose time is unknown: --since and --until match only known times.\n", n)
	}
	return err
}
