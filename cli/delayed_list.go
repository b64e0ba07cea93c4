package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// delayedPart is how many jobs of a second show reads in one round trip.
const delayedPart = 500

func delayedListCommand(env *Env) *cobra.Command {
	var flags delayedFlags
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the delayed jobs, the earliest first",
		Example: `  goresque delayed list --class Exporter --due-before 2h
  goresque delayed list --json --limit 0 | jq .due`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := flags.read(false)
			if err != nil {
				return err
			}
			return env.withDelayed(cmd.Context(), func(ctx context.Context, d *resque.Delayed) error {
				return env.listDelayed(d.Jobs(ctx, filter), limit, asJSON)
			})
		},
	}
	flags.add(cmd)
	addDelayedList(cmd, &limit, &asJSON)
	return cmd
}

func addDelayedList(cmd *cobra.Command, limit *int, asJSON *bool) {
	cmd.Flags().IntVar(limit, "limit", 25, "maximum number of delayed jobs; 0 for all")
	cmd.Flags().BoolVar(asJSON, "json", false, "print one JSON object per line")
}

func delayedFindCommand(env *Env) *cobra.Command {
	var flags delayedFlags
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "find CLASS [ARG…]",
		Short: "List the delayed jobs of a class, or those with exactly these arguments",
		Long: `Lists the delayed jobs of a class, the earliest first. With arguments it lists only the
jobs with exactly these arguments, in any spelling of their JSON. Each ARG is parsed as
JSON; an ARG that is not JSON is a string. Put -- before arguments that begin with a dash.
For a Rails job, CLASS and the arguments are those of the job inside the wrapper.`,
		Example: `  goresque delayed find Exporter
  goresque delayed find Exporter 42`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return UsageErrorf("the class is empty: 'goresque delayed list' lists all delayed jobs")
			}
			flags.class = args[0]
			filter, err := flags.read(false)
			if err != nil {
				return err
			}
			filter.Args = arguments(args[1:])
			return env.withDelayed(cmd.Context(), func(ctx context.Context, d *resque.Delayed) error {
				return env.listDelayed(d.Jobs(ctx, filter), limit, asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&flags.queue, "queue", "", "only jobs for this queue")
	flags.addTimes(cmd)
	addDelayedList(cmd, &limit, &asJSON)
	return cmd
}

func delayedShowCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show TIME|ID",
		Short: "Show the delayed jobs of a second, or one delayed job",
		Long: `Shows all jobs that are due at TIME, a Unix time such as 1768480796 or a date such as
'2026-01-15 12:39:56', or the job with an ID.`,
		Example: `  goresque delayed show 1768480796
  goresque delayed show 1768480796:0-2fd4e1c67a2d28fc`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, idErr := resque.ParseDelayedID(args[0])
			due, err := parseMoment(args[0], time.Now())
			if idErr != nil && err != nil {
				return UsageErrorf("%w; or %w", idErr, err)
			}
			return env.withDelayed(cmd.Context(), func(ctx context.Context, d *resque.Delayed) error {
				if idErr != nil {
					return env.listDelayed(secondOf(ctx, d, due), 0, asJSON)
				}
				job, err := d.Find(ctx, id)
				if err == nil {
					env.showDelayed(job, asJSON)
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	return cmd
}

// secondOf returns an iterator over the jobs of a second.
func secondOf(ctx context.Context, d *resque.Delayed, due time.Time) iter.Seq2[resque.DelayedJob, error] {
	return func(yield func(resque.DelayedJob, error) bool) {
		for first := int64(0); ; first += delayedPart {
			page, err := d.Page(ctx, due, first, delayedPart)
			if err != nil {
				yield(resque.DelayedJob{}, err)
				return
			}
			for _, job := range page {
				if !yield(job, nil) {
					return
				}
			}
			if len(page) < delayedPart {
				return
			}
		}
	}
}

// listDelayed prints jobs, one per line.
func (e *Env) listDelayed(jobs iter.Seq2[resque.DelayedJob, error], limit int, asJSON bool) error {
	return list(e, jobs, limit, asJSON, func(job resque.DelayedJob) {
		if asJSON {
			e.printJSON(asDelayedJSON(job))
			return
		}
		fmt.Fprintln(e.Stdout, delayedLine(job))
	})
}

// delayedLine returns a job on one line.
func delayedLine(job resque.DelayedJob) string {
	class, args := delayedText(job)
	return fmt.Sprintf("%s  %s  %s  %s  %s", job.ID, when(job.Due), oneLine(job.Queue, 60), oneLine(class, 60), oneLine(args, 120))
}

// delayedText returns the class and the arguments of a job, those inside a Rails job, or
// what is wrong with a damaged job.
func delayedText(job resque.DelayedJob) (class, args string) {
	if job.Damage != nil {
		return "damaged:", string(job.Raw)
	}
	inside, _ := insideDelayed(job)
	return inside.Class, argsText(inside.Args)
}

// insideDelayed returns the Rails job in a delayed job, or otherwise the job itself.
func insideDelayed(job resque.DelayedJob) (inside *resque.Payload, isRails bool) {
	payload := &resque.Payload{Class: job.Class, Queue: job.Queue, Args: job.Args, Raw: job.Payload()}
	if inside, ok := activejob.Unwrap(payload); ok {
		return inside, true
	}
	return payload, false
}

// delayedJSON is a delayed job as --json prints it.
type delayedJSON struct {
	ID      string            `json:"id"`
	Due     time.Time         `json:"due"`
	Class   string            `json:"class"`
	Args    []json.RawMessage `json:"args"`
	Queue   string            `json:"queue"`
	Payload json.RawMessage   `json:"payload,omitempty"`    // as it will be in the queue
	Rails   *railsJSON        `json:"active_job,omitempty"` // only for a Rails job
	Damage  string            `json:"damage,omitempty"`
	Raw     string            `json:"raw,omitempty"` // only if damaged
}

func asDelayedJSON(job resque.DelayedJob) delayedJSON {
	j := delayedJSON{ID: job.ID.String(), Due: job.Due, Class: job.Class, Args: job.Args, Queue: job.Queue}
	if job.Damage != nil {
		j.Damage, j.Raw = job.Damage.Error(), string(job.Raw)
		return j
	}
	j.Payload = job.Payload()
	if j.Args == nil {
		j.Args = []json.RawMessage{}
	}
	if inside, ok := insideDelayed(job); ok {
		j.Rails = railsInside(inside)
	}
	return j
}

func (e *Env) showDelayed(job resque.DelayedJob, asJSON bool) {
	if asJSON {
		e.printJSON(asDelayedJSON(job))
		return
	}
	class, args := delayedText(job)
	if job.Damage != nil {
		class, args = job.Class, ""
	}
	fmt.Fprintf(e.Stdout, "job        %s\n", job.ID)
	for _, line := range []struct{ name, text string }{
		{"due", when(job.Due)}, {"class", class}, {"queue", job.Queue}, {"arguments", args}, {"payload", string(job.Payload())},
	} {
		fmt.Fprintf(e.Stdout, "%-10s %s\n", line.name, harmless(line.text))
	}
	if job.Damage != nil {
		fmt.Fprintf(e.Stdout, "%-10s %s\n", "damaged", oneLine(job.Damage.Error(), 500))
	}
}
