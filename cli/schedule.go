package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// nextShown is how many next times a list shows.
const nextShown = 3

// scheduleCommand shows and changes recurring jobs.
func scheduleCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "List, set, check and run recurring jobs",
		Example: `  goresque schedule list
  goresque schedule set nightly --cron "0 3 * * * Europe/Stockholm" -q reports Report 7
  goresque schedule next "30 6 * * mon" -n 5
  goresque schedule check config/schedule.yml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		scheduleListCommand(env), scheduleSetCommand(env), scheduleNextCommand(env), scheduleCheckCommand(env), scheduleRunCommand(env),
		scheduleChangeCommand(env, "remove", "Remove persistent schedules", "removed", scheduler.Remove),
		scheduleChangeCommand(env, "enable", "Switch schedules on again", "enabled", scheduler.Enable),
		scheduleChangeCommand(env, "disable", "Switch schedules off; Ruby's scheduler ignores it", "disabled", scheduler.Disable),
	)
	return cmd
}

// scheduleListCommand lists the recurring jobs.
//
// Ruby: Resque.schedule.
func scheduleListCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the schedules with their next times, last run and mistakes",
		Long: `Lists the persistent schedules, and those in the program or the file of the running
scheduler. The next times of an interval are not known until a scheduler has loaded it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				all, err := scheduler.Schedules(ctx, client)
				if err == nil && len(all) == 0 && !asJSON {
					fmt.Fprintln(env.Stdout, "None")
				}
				for _, s := range all {
					if asJSON {
						env.printJSON(asScheduleJSON(s))
					} else {
						env.printSchedule(s)
					}
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	return cmd
}

// scheduleJSON is a schedule as --json prints it.
type scheduleJSON struct {
	Name        string          `json:"name"`
	Cron        string          `json:"cron,omitempty"`
	Every       float64         `json:"every,omitempty"` // seconds
	Class       string          `json:"class"`
	Queue       string          `json:"queue,omitempty"`
	Args        json.RawMessage `json:"args"`
	Description string          `json:"description,omitempty"`
	Env         string          `json:"env,omitempty"`
	Static      bool            `json:"static"`
	Running     bool            `json:"running"`
	Off         bool            `json:"off"`
	Next        []time.Time     `json:"next"`
	Last        *time.Time      `json:"last"`
	Error       string          `json:"error,omitempty"`
}

func asScheduleJSON(s scheduler.Schedule) scheduleJSON {
	j := scheduleJSON{
		Name: s.Name, Cron: s.Cron, Every: s.Every.Seconds(), Class: s.Job.Class, Queue: s.Job.Queue, Args: json.RawMessage("null"),
		Description: s.Description, Env: s.Env, Static: s.Static, Running: s.Running, Off: s.Off, Next: s.Next(nextShown),
	}
	if args, err := rubyjson.AppendArgs(nil, s.Job.Args); err == nil {
		j.Args = args
	}
	if !s.Last.IsZero() {
		j.Last = &s.Last
	}
	if s.Err != nil {
		j.Error = s.Err.Error()
	}
	return j
}

// printSchedule prints a schedule for people.
func (e *Env) printSchedule(s scheduler.Schedule) {
	when := s.Cron
	switch {
	case s.Every != 0:
		when = "every " + s.EveryText()
	case when == "":
		when = "by hand"
	}
	fmt.Fprintf(e.Stdout, "%s (%s): %s\n", printable(s.Name), printable(when), printable(s.Job.Class))
	switch next := s.Next(nextShown); {
	case s.Err != nil:
		fmt.Fprintf(e.Stdout, "  does not run: %s\n", harmless(s.Err.Error()))
	case s.Off:
		fmt.Fprintln(e.Stdout, "  is switched off")
	case len(next) > 0:
		fmt.Fprintf(e.Stdout, "  next: %s\n", strings.Join(isoTimes(next), ", "))
	}
	if !s.Last.IsZero() {
		fmt.Fprintf(e.Stdout, "  last: %s\n", s.Last.Format(time.RFC3339))
	}
	if s.Description != "" {
		fmt.Fprintf(e.Stdout, "  %s\n", oneLine(s.Description, 100))
	}
}

func isoTimes(times []time.Time) []string {
	texts := make([]string, len(times))
	for i, t := range times {
		texts[i] = t.Format(time.RFC3339)
	}
	return texts
}

// scheduleChangeCommand returns a command that changes schedules by their names.
func scheduleChangeCommand(env *Env, verb, short, done string, change func(context.Context, *resque.Client, string) error) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   verb + " NAME…",
		Short: short,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				var wrong error
				for _, name := range args {
					err := change(ctx, client, name)
					wrong = errors.Join(wrong, knownSchedule(err))
					if err == nil {
						env.printChange(asJSON, changeJSON{name, done}, done+" schedule "+printable(name))
					}
				}
				return wrong
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per schedule: schedule, result")
	return cmd
}

// changeJSON is a change of a schedule as --json prints it.
type changeJSON struct {
	Schedule string `json:"schedule"`
	Result   string `json:"result"`
}

func (e *Env) printChange(asJSON bool, change any, said string) {
	if asJSON {
		e.printJSON(change)
	} else {
		fmt.Fprintln(e.Stdout, said)
	}
}

// knownSchedule adds what to do about the name of an unknown schedule.
func knownSchedule(err error) error {
	if errors.Is(err, scheduler.ErrNoSchedule) {
		return fmt.Errorf("%w: 'goresque schedule list' lists the schedules", err)
	}
	return err
}

// scheduleRunCommand enqueues the job of a schedule.
func scheduleRunCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "run NAME",
		Short: "Enqueue the job of a schedule at once; its times do not change",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				found, err := scheduler.Find(ctx, client, args[0])
				if err != nil {
					return knownSchedule(err)
				}
				receipt, err := scheduler.RunNow(ctx, client, args[0])
				if err != nil {
					return err
				}
				payload, err := found.Job.Encode()
				env.printEnqueued(receipt, payload, asJSON)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object: queued, queue, payload")
	return cmd
}

// scheduleCheckCommand checks a file.
func scheduleCheckCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check FILE…",
		Short: "Check files with schedules; the status is 1 if there is a mistake",
		Long: `Checks YAML files in the format of resque-scheduler. It does not use Redis. Each mistake is
printed with its file, line and reason.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			mistakes := 0
			for _, file := range args {
				entries, err := scheduler.Load(file)
				all := mistakesOf(err)
				mistakes += len(all)
				for _, m := range all {
					env.printChange(asJSON, m, m.text)
				}
				if err == nil && !asJSON {
					fmt.Fprintf(env.Stdout, "%s: schedules: %d\n", file, len(entries))
				}
			}
			if mistakes > 0 {
				return fmt.Errorf("mistakes: %d", mistakes)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per mistake: file, line, error")
	return cmd
}

// mistakeJSON is a mistake in a file as --json prints it. Line is 0 if it is not known.
type mistakeJSON struct {
	File  string `json:"file"`
	Line  int    `json:"line"`
	Error string `json:"error"`
	text  string
}

func mistakesOf(err error) (all []mistakeJSON) {
	var joined interface{ Unwrap() []error }
	switch at := (*scheduler.FileError)(nil); {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		for _, one := range joined.Unwrap() {
			all = append(all, mistakesOf(one)...)
		}
		return all
	case errors.As(err, &at):
		return []mistakeJSON{{at.File, at.Line, at.Err.Error(), err.Error()}}
	default:
		return []mistakeJSON{{Error: withoutPackage(err), text: withoutPackage(err)}}
	}
}
