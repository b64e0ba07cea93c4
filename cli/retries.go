package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

// retriesCommand lists, runs, cancels and gives up jobs that wait for another attempt.
//
// Ruby: the Retry tab of resque-retry's front end.
func retriesCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:        "retries",
		SuggestFor: []string{"retry"},
		Short:      "List, run, cancel and give up jobs that wait for another attempt",
		Long: `Lists, runs, cancels and gives up jobs that have failed and wait for their next attempt.
They are delayed jobs ('goresque delayed') whose class has a retry policy, of Go or of Ruby's
resque-retry, or Rails jobs that were performed before. Limits are known only to a command
that was built with the jobs' policies.`,
		Args: cobra.NoArgs, // with RunE: an unknown subcommand is an error
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	w := waiting[*resque.Retries]{retryingJobs(), env.withRetries}
	cmd.AddCommand(retriesListCommand(env), waitingRunCommand(env, w), waitingRemoveCommand(env, w), giveUpCommand(env, w))
	return cmd
}

// withRetries calls fn with the jobs that wait for another attempt in the command's Redis.
// The context ends at INT and TERM.
func (e *Env) withRetries(ctx context.Context, fn func(ctx context.Context, r *resque.Retries) error) error {
	return e.withClient(ctx, func(ctx context.Context, client *resque.Client) error {
		mux, err := e.newMux(ctx, client)
		if err != nil {
			return err
		}
		ctx, stop := untilSignal(ctx)
		defer stop()
		return fn(ctx, client.WithJobs(mux).Retries(mux))
	})
}

func retriesListCommand(env *Env) *cobra.Command {
	var flags delayedFlags
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the jobs that wait for another attempt, the earliest first",
		Long: `Lists the jobs that wait for another attempt, the earliest first: the id, the time of the
next attempt, the queue, the class, the arguments, how many attempts have failed, and the
last error if Redis has it.`,
		Example: `  goresque retries list --class Exporter --due-before 2h
  goresque retries list --json --limit 0 | jq .attempt`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := flags.read(false)
			if err != nil {
				return err
			}
			return env.withRetries(cmd.Context(), func(ctx context.Context, r *resque.Retries) error {
				return list(env, r.Jobs(ctx, filter), limit, asJSON, func(job resque.RetryingJob) { env.listRetry(job, asJSON) })
			})
		},
	}
	flags.add(cmd)
	addDelayedList(cmd, &limit, &asJSON)
	return cmd
}

// retryJSON is a job that waits for another attempt as --json prints it.
type retryJSON struct {
	delayedJSON
	Attempt   *int64     `json:"attempt"`  // that failed last; null if the counter is not a number
	Attempts  *int64     `json:"attempts"` // that there may be; null if unknown, -1 without a limit
	Exception string     `json:"exception,omitempty"`
	Error     string     `json:"error,omitempty"`
	FailedAt  *time.Time `json:"failed_at,omitempty"`
}

// listRetry prints a job on one line.
func (e *Env) listRetry(job resque.RetryingJob, asJSON bool) {
	if !asJSON {
		line := delayedLine(job.DelayedJob) + "  " + attemptText(job)
		if job.Failure.Exception != "" {
			line += fmt.Sprintf("  %s: %s", oneLine(job.Failure.Exception, 60), oneLine(job.Failure.Error, 120))
		}
		fmt.Fprintln(e.Stdout, line)
		return
	}
	j := retryJSON{delayedJSON: asDelayedJSON(job.DelayedJob), Exception: job.Failure.Exception, Error: job.Failure.Error}
	if job.Attempt != 0 {
		j.Attempt = &job.Attempt
	}
	if job.Limit != 0 {
		j.Attempts = &job.Limit
	}
	if !job.Failure.FailedAt.IsZero() {
		j.FailedAt = &job.Failure.FailedAt
	}
	e.printJSON(j)
}

// attemptText returns how many attempts a job has failed.
func attemptText(job resque.RetryingJob) string {
	switch {
	case job.Attempt == 0:
		return "attempt unknown: its counter is not a number"
	case job.Limit > 0:
		return fmt.Sprintf("attempt %d of %d", job.Attempt, job.Limit)
	default:
		return fmt.Sprintf("attempt %d", job.Attempt)
	}
}

func giveUpCommand(env *Env, w waiting[*resque.Retries]) *cobra.Command {
	var flags delayedActFlags
	var backend choice
	how := func() resque.GiveUpOptions {
		if backend.value == "redis_multi_queue" {
			return resque.GiveUpOptions{FailureLists: resque.FailuresByQueue}
		}
		return resque.GiveUpOptions{}
	}
	cmd := &cobra.Command{
		Use:   "give-up ID…",
		Short: "Record jobs that wait for another attempt as failed jobs",
		Long: `Records jobs that wait for another attempt as failed jobs, with the failure of their last
attempt if Redis has it. They are not performed again unless they are retried with
'goresque failed retry'. Failure hooks are not called.`,
		Example: `  goresque retries give-up 1768480796:0-2fd4e1c67a2d28fc
  goresque retries give-up --all --class Exporter`,
		RunE: w.run(env, &flags, waitingAct[*resque.Retries]{
			ask: "give up", verb: "gave up", always: true,
			named: func(ctx context.Context, r *resque.Retries, ids []resque.DelayedID) (resque.BulkProgress, error) {
				return r.GiveUp(ctx, how(), ids...)
			},
			all: func(ctx context.Context, r *resque.Retries, filter resque.DelayedFilter) (resque.BulkProgress, error) {
				return r.GiveUpAll(ctx, how(), filter, env.progress())
			},
		}),
	}
	flags.add(cmd)
	backend.of = backends()
	cmd.Flags().Var(&backend, "failure-backend", "where the failures are recorded (default redis)")
	FromEnv(cmd, "failure-backend", "FAILURE_BACKEND")
	return cmd
}
