package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/internal/cron"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// scheduleNextCommand prints the next times of a schedule or of a cron line.
func scheduleNextCommand(env *Env) *cobra.Command {
	var n int
	var from string
	var utc, mondayWeeks, asJSON bool
	cmd := &cobra.Command{
		Use:   "next NAME|'CRON'",
		Short: "Print the next times of a schedule, or of a cron line",
		Long: `Prints the next times of a schedule or of a cron line, in ISO 8601 and in the time zone of
the line. For a cron line it does not use Redis. Put the line in quotes, so that the shell
does not replace its asterisks.`,
		Example: `  goresque schedule next nightly
  goresque schedule next '30 6 * * mon Europe/Stockholm' -n 5
  goresque schedule next '0 9 * * mon%2' --from 2026-03-01T00:00:00Z --utc`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if n < 1 || n > 10_000 {
				return UsageErrorf("--count is %d; it must be from 1 to 10000", n)
			}
			start := time.Now()
			if from != "" {
				at, err := wire.ParseTime(from)
				if err != nil {
					return UsageErrorf("--from: want a time such as 2026-01-15T12:00:00Z, got %q", from)
				}
				start = at.Time
			}
			show := func(times []time.Time) {
				for _, t := range times {
					if utc {
						t = t.UTC()
					}
					env.printChange(asJSON, timeJSON{t}, t.Format(time.RFC3339))
				}
			}
			if isCronLine(args[0]) {
				times, err := nextOfLine(args[0], start, n, mondayWeeks)
				show(times)
				return err
			}
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				s, err := scheduler.Find(ctx, client, args[0])
				if err != nil {
					return knownSchedule(err)
				}
				times := s.Next(n)
				if from != "" {
					times = s.NextAfter(start, n)
				}
				show(times)
				switch {
				case s.Err != nil:
					return fmt.Errorf("schedule %q does not run: %w", s.Name, s.Err)
				case len(times) == 0:
					return fmt.Errorf("schedule %q: its next times are not known: it has none, or no goresque scheduler has loaded it yet", s.Name)
				}
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.IntVarP(&n, "count", "n", nextShown, "how many times")
	flags.StringVar(&from, "from", "", "print the times after this one (default: now)")
	flags.BoolVar(&utc, "utc", false, "print in UTC")
	flags.BoolVar(&mondayWeeks, "monday-weeks", false, "weeks of a line such as mon%2 begin on Monday, as in fugit 1.12 and later")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object per time: time")
	return cmd
}

// timeJSON is a time as --json prints it.
type timeJSON struct {
	Time time.Time `json:"time"`
}

// isCronLine reports whether a word is meant as a cron line and not as a name.
func isCronLine(word string) bool {
	return strings.ContainsAny(word, " \t") || strings.HasPrefix(word, "@")
}

// nextOfLine returns the next times of a cron line, in its zone.
func nextOfLine(line string, from time.Time, n int, mondayWeeks bool) (times []time.Time, err error) {
	s, err := cron.Parse(line)
	if err != nil {
		return nil, UsageErrorf("%w", err)
	}
	s.MondayWeeks = mondayWeeks
	zone := s.Location()
	if zone == nil {
		zone = time.Local //nolint:gosmopolitan // as the scheduler
	}
	from = from.In(time.Local) //nolint:gosmopolitan // as the scheduler
	for range n {
		next, ok := s.Next(from)
		if !ok {
			break
		}
		times = append(times, next.In(zone))
		from = next
	}
	return times, nil
}
