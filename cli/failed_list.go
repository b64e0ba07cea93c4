package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

func failedListCommand(env *Env) *cobra.Command {
	var flags filterFlags
	var oldestFirst, asJSON, groups bool
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the failed jobs, newest first",
		Example: `  goresque failed list --class Exporter --since 2h
  goresque failed list --json --limit 0 | jq .error`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLimit(limit); err != nil {
				return err
			}
			return env.withFailures(cmd.Context(), func(ctx context.Context, f *resque.Failures) error {
				if err := env.noteUnknownTimes(ctx, f, flags.read()); err != nil {
					return err
				}
				if groups {
					return env.listGroups(ctx, f, flags.read(), asJSON)
				}
				all := f.Newest(ctx, flags.read())
				if oldestFirst {
					all = f.Oldest(ctx, flags.read())
				}
				return list(env, all, limit, asJSON, func(job resque.FailedJob) { env.listFailure(job, asJSON) })
			})
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&oldestFirst, "oldest-first", false, "list the oldest first")
	cmd.Flags().IntVar(&limit, "limit", 25, "maximum number of failures; 0 for all")
	cmd.Flags().BoolVar(&groups, "groups", false, "count failures by class and exception instead")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	return cmd
}

func failedShowCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one failed job, with its backtrace",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseEach(args, resque.ParseFailureID)
			if err != nil {
				return err
			}
			return env.withFailures(cmd.Context(), func(ctx context.Context, f *resque.Failures) error {
				job, err := f.Find(ctx, ids[0])
				if err != nil {
					return err
				}
				if asJSON {
					env.listFailure(job, true)
				} else {
					env.showFailure(job)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// failureJSON is a failure as --json prints it.
type failureJSON struct {
	ID        string            `json:"id"`
	FailedAt  *time.Time        `json:"failed_at"`
	RetriedAt *time.Time        `json:"retried_at"`
	Retried   bool              `json:"retried"`
	Class     string            `json:"class"`
	Args      []json.RawMessage `json:"args"`
	Queue     string            `json:"queue"`
	Exception string            `json:"exception"`
	Error     string            `json:"error"`
	Backtrace []string          `json:"backtrace"`
	Worker    string            `json:"worker"`
	Payload   json.RawMessage   `json:"payload"`
	ActiveJob *railsJSON        `json:"active_job,omitempty"` // only for a Rails job
	Damage    string            `json:"damage,omitempty"`
	Raw       string            `json:"raw,omitempty"` // only if damaged
}

// railsJSON is the Rails job inside a payload.
type railsJSON struct {
	Class      string            `json:"class"`
	ID         string            `json:"job_id"`
	Executions int               `json:"executions"`
	Arguments  []json.RawMessage `json:"arguments"`
}

func failedRailsJSON(failure resque.FailedJob) *railsJSON {
	job, err := resque.ParsePayload(failure.Queue, failure.Original())
	if err != nil {
		return nil
	}
	return asRailsJSON(job)
}

// asRailsJSON returns the Rails job inside a job, or nil if there is none.
func asRailsJSON(wrapper *resque.Payload) *railsJSON {
	job, ok := activejob.Unwrap(wrapper)
	if !ok {
		return nil
	}
	return railsInside(job)
}

// railsInside describes a Rails job without its wrapper.
func railsInside(job *resque.Payload) *railsJSON {
	data, _ := activejob.DataOf(job)
	return &railsJSON{Class: job.Class, ID: data.ID, Executions: data.Executions, Arguments: job.Args}
}

// class returns the class of the job, for Rails jobs not that of the wrapper.
func class(failure resque.FailedJob) string {
	if job, ok := activejob.Failed(failure); ok {
		return job.Class
	}
	return failure.Class
}

// listFailure prints a failure on one line.
func (e *Env) listFailure(job resque.FailedJob, asJSON bool) {
	switch {
	case asJSON:
		e.printJSON(asFailureJSON(job))
	case job.Class == "" && job.Error == "":
		fmt.Fprintf(e.Stdout, "%s  damaged: %s\n", job.ID, oneLine(string(job.Raw), 120))
	default:
		mark := ""
		if job.Requeued {
			mark = "  (retried)"
		}
		fmt.Fprintf(e.Stdout, "%s  %s  %s  %s  %s: %s%s\n", job.ID, when(job.FailedAt),
			oneLine(job.Queue, 60), oneLine(class(job), 60), oneLine(job.Exception, 60), oneLine(job.Error, 120), mark)
	}
}

func asFailureJSON(job resque.FailedJob) failureJSON {
	j := failureJSON{
		ID: job.ID.String(), FailedAt: &job.FailedAt, RetriedAt: &job.RequeuedAt, Retried: job.Requeued,
		Class: job.Class, Args: job.Args, Queue: job.Queue, Exception: job.Exception, Error: job.Error,
		Backtrace: job.Backtrace, Worker: job.Worker, Payload: job.Payload, ActiveJob: failedRailsJSON(job),
	}
	if job.FailedAt.IsZero() {
		j.FailedAt = nil
	}
	if job.RequeuedAt.IsZero() {
		j.RetriedAt = nil
	}
	if job.Damage != nil {
		j.Damage, j.Raw = job.Damage.Error(), string(job.Raw)
	}
	return j
}

func (e *Env) showFailure(job resque.FailedJob) {
	fmt.Fprintf(e.Stdout, "failure    %s\n", job.ID)
	for _, line := range []struct{ name, text string }{
		{"failed", when(job.FailedAt)},
		{"class", class(job)},
		{"queue", job.Queue},
		{"worker", job.Worker},
		{"exception", job.Exception},
		{"error", job.Error},
		{"payload", string(job.Payload)},
	} {
		fmt.Fprintf(e.Stdout, "%-10s %s\n", line.name, harmless(line.text))
	}
	if rails := failedRailsJSON(job); rails != nil {
		e.showRails(rails)
	}
	if job.Requeued {
		fmt.Fprintf(e.Stdout, "%-10s %s\n", "retried", when(job.RequeuedAt))
	}
	if job.Damage != nil {
		fmt.Fprintf(e.Stdout, "%-10s %s\n%-10s %s\n", "damaged", oneLine(job.Damage.Error(), 500), "record", harmless(string(job.Raw)))
	}
	for _, frame := range job.Backtrace {
		fmt.Fprintln(e.Stdout, "    "+harmless(frame))
	}
}

func (e *Env) showRails(job *railsJSON) {
	fmt.Fprintf(e.Stdout, "%-10s %s (attempts before: %d)\n%-10s %s\n",
		"job id", harmless(job.ID), job.Executions, "arguments", harmless(argsText(job.Arguments)))
}

func (e *Env) listGroups(ctx context.Context, f *resque.Failures, filter resque.FailureFilter, asJSON bool) error {
	groups, err := f.Groups(ctx, filter)
	for _, g := range groups {
		if asJSON {
			e.printJSON(map[string]any{
				"class": g.Class, "exception": g.Exception, "message": g.Message, "count": g.Count, "retried": g.Requeued,
				"oldest": g.Oldest, "newest": g.Newest,
			})
			continue
		}
		fmt.Fprintf(e.Stdout, "%7d  %s  %s  (%s to %s)  %s\n",
			g.Count, oneLine(g.Class, 60), oneLine(g.Exception, 60), when(g.Oldest), when(g.Newest), oneLine(g.Message, 60))
	}
	return err
}

func when(at time.Time) string {
	if at.IsZero() {
		return "unknown time"
	}
	return at.UTC().Format("2006-01-02 15:04:05 UTC")
}
