package cli

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/internal/cron"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// interval is a flag whose value is an interval as rufus-scheduler reads it.
type interval struct {
	value time.Duration
	text  string
	least time.Duration // -1 for any
}

// Set parses an interval.
func (i *interval) Set(text string) (err error) {
	parse := cron.ParseEvery
	if i.least < 0 {
		parse = cron.ParseDuration
	}
	i.text = text
	i.value, err = parse(text)
	return err
}

func (i *interval) String() string { return i.text }

// Type names the value in the flag's help.
func (i *interval) Type() string { return "interval" }

// scheduleSetCommand stores a persistent schedule.
//
// Ruby: Resque.set_schedule.
func scheduleSetCommand(env *Env) *cobra.Command {
	var entry scheduler.Entry
	var every interval
	first := interval{least: -1}
	var queue string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "set NAME CLASS [ARG…]",
		Short: "Store a persistent schedule, or replace it",
		Long: `Stores a schedule in Redis. Schedulers with DYNAMIC_SCHEDULE run it, in Go and Ruby. The
schedule is checked first, because one that Ruby cannot read would end Ruby's schedulers.
Each ARG is parsed as JSON; an ARG that is not JSON is a string.`,
		Example: `  goresque schedule set nightly --cron "0 3 * * * Europe/Stockholm" -q reports Report 7
  goresque schedule set pulse --every 1h30m -q pulse Pulse`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if entry.Cron == "" && every.text == "" {
				return UsageErrorf("give --cron or --every: the times at which the job is enqueued")
			}
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				mux, err := env.newMux(ctx, client)
				if err != nil {
					return err
				}
				route, _ := mux.Route(args[1])
				if queue = cmp.Or(queue, route.Queue); queue == "" {
					return UsageErrorf("no queue for class %s: give one with --queue", args[1])
				}
				entry.Name, entry.Every, entry.FirstIn = args[0], every.value, first.value
				entry.Job = resque.Job{Queue: queue, Class: args[1], Args: arguments(args[2:])}
				changed, err := scheduler.Set(ctx, client, entry)
				if _, fromRedis := resque.Explain(err); fromRedis || ctx.Err() != nil {
					return err
				}
				if err != nil {
					return UsageErrorf("%w", err)
				}
				result := "not changed"
				if changed {
					result = "set"
				}
				env.printChange(asJSON, changeJSON{entry.Name, result}, "schedule "+printable(entry.Name)+": "+result)
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&entry.Cron, "cron", "", `times, such as "30 6 * * mon Europe/Stockholm"`)
	flags.Var(&every, "every", "interval, such as 90s, 1h30m or 1d")
	flags.Var(&first, "first-in", "when the first time of an interval comes (default: after one interval)")
	flags.StringVarP(&queue, "queue", "q", "", "the queue (default: the queue of the class, if this command knows the class)")
	flags.StringVar(&entry.Description, "description", "", "a description for people")
	flags.StringVar(&entry.Env, "env", "", "environments, separated by commas: only schedulers with one of them as RAILS_ENV run it")
	flags.BoolVar(&asJSON, "json", false, "print a JSON object: schedule, result")
	return cmd
}
