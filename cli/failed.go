package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

// failedCommand lists and acts on the jobs that failed.
//
// Ruby: Resque::Failure, and the Failed tab of its front end.
func failedCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "failed",
		Short: "List, show, retry and remove jobs that failed",
		Long: `Lists, shows, retries and removes jobs that failed. A failure is named as list
prints it, by its position and a digest of its record: where another failure has
taken its place meanwhile, nothing is done.`,
		Args: cobra.NoArgs, // with RunE: a subcommand that is none is told
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		failedListCommand(env), failedShowCommand(env), failedRetryCommand(env),
		failedRemoveCommand(env), failedClearCommand(env), failedRestoreCommand(env),
	)
	return cmd
}

// filterFlags say which failures are meant.
type filterFlags struct {
	filter       resque.FailureFilter
	since, until instant
	backend      choice
}

// backends are Ruby's names for where failures are kept.
func backends() []string { return []string{"redis", "redis_multi_queue"} }

func (f *filterFlags) add(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVar(&f.filter.Class, "class", "", "only those of this job class")
	set.StringVar(&f.filter.Queue, "queue", "", "only those from this queue")
	set.StringVar(&f.filter.Exception, "exception", "", "only those with this exception")
	set.StringVar(&f.filter.Text, "text", "", "only those with this in their class, arguments, error, backtrace, worker or queue")
	set.Var(&f.since, "since", "only those that failed then or later: a date, or how long ago, such as 2h or 7d")
	set.Var(&f.until, "until", "only those that failed before")
	f.addLists(cmd)
}

// addLists adds the flags that say which lists are meant.
func (f *filterFlags) addLists(cmd *cobra.Command) {
	f.backend.of = backends()
	cmd.Flags().StringVar(&f.filter.List, "list", "", "only those in this list, such as failed or exports_failed")
	cmd.Flags().Var(&f.backend, "failure-backend", "redis is the list failed alone (default: the lists of queues, too)")
	FromEnv(cmd, "failure-backend", "FAILURE_BACKEND")
}

// read is the filter that the flags make.
func (f *filterFlags) read() resque.FailureFilter {
	filter := f.filter
	filter.Since, filter.Until = f.since.at, f.until.at
	if filter.List == "" && f.backend.value == "redis" {
		filter.List = resque.FailedList
	}
	return filter
}

// given tells whether a filter was given at all.
func (f *filterFlags) given() bool {
	filter := f.read()
	filter.List = ""
	return filter != resque.FailureFilter{} || f.filter.List != ""
}

// withFailures calls fn with the failures of the Redis that the command was told
// of. The context ends at INT and TERM.
func (e *Env) withFailures(ctx context.Context, fn func(ctx context.Context, f *resque.Failures) error) error {
	return e.withClient(ctx, func(ctx context.Context, client *resque.Client) error {
		ctx, stop := untilSignal(ctx)
		defer stop()
		err := fn(ctx, client.Failures())
		switch {
		case errors.Is(err, resque.ErrNoFailureList):
			return UsageErrorf("%w; goresque failed list shows them", err)
		case errors.Is(err, resque.ErrFailureRequeued):
			return fmt.Errorf("%w; --again does it once more", err)
		}
		return err
	})
}

// parseIDs reads failures' names.
func parseIDs(args []string) ([]resque.FailureID, error) {
	ids := make([]resque.FailureID, len(args))
	for i, arg := range args {
		id, err := resque.ParseFailureID(arg)
		if err != nil {
			return nil, UsageErrorf("%w", err)
		}
		ids[i] = id
	}
	return ids, nil
}
