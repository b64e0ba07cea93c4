package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

// delayedCommand lists, runs and cancels delayed jobs.
//
// Ruby: the Delayed tab of resque-scheduler's front end.
func delayedCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delayed",
		Short: "List, find, run and cancel delayed jobs",
		Long: `Lists, finds, runs and cancels delayed jobs, which wait until they are due. Then a
scheduler moves them to their queues: 'goresque scheduler', or Ruby's. The id of a delayed
job, as list prints it, is its second, its position and a digest of its bytes. If the job
was moved, canceled or changed, nothing is done.`,
		Args: cobra.NoArgs, // with RunE: an unknown subcommand is an error
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	w := waiting[*resque.Delayed]{delayedJobs(), env.withDelayedJobs}
	cmd.AddCommand(
		delayedListCommand(env), delayedShowCommand(env), delayedFindCommand(env), waitingRunCommand(env, w),
		waitingRemoveCommand(env, w), delayedClearCommand(env), delayedRestoreCommand(env), delayedRepairCommand(env),
	)
	return cmd
}

// delayedFlags are the flags that select delayed jobs.
type delayedFlags struct {
	class, queue, args, text string
	after, before            moment
}

func (f *delayedFlags) add(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVar(&f.class, "class", "", "only jobs of this class")
	set.StringVar(&f.queue, "queue", "", "only jobs for this queue")
	set.StringVar(&f.args, "args", "", "only jobs with exactly these arguments, as a JSON array")
	set.StringVar(&f.text, "text", "", "only jobs with this text in their class, arguments or queue")
	f.addTimes(cmd)
}

func (f *delayedFlags) addTimes(cmd *cobra.Command) {
	cmd.Flags().Var(&f.after, "due-after", "only jobs that are due at this time or later: a date, or 2h for in two hours")
	cmd.Flags().Var(&f.before, "due-before", "only jobs that are due before this time: a date, or 2h for in two hours")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		return ordered("due-after", f.after.at, "due-before", f.before.at)
	}
}

// read returns the filter that the flags describe. With all, no flags mean all jobs.
func (f *delayedFlags) read(all bool) (resque.DelayedFilter, error) {
	args, err := newArgs(f.args)
	return resque.DelayedFilter{
		All: all, Class: f.class, Queue: f.queue, Args: args, Text: f.text, Since: f.after.at, Until: f.before.at,
	}, err
}

// given reports whether any filter was given.
func (f *delayedFlags) given() bool { return *f != delayedFlags{} }

// delayedActFlags are the flags of commands that act on delayed jobs, either named ones or
// all that match.
type delayedActFlags struct {
	delayedFlags
	all, yes, asJSON bool
}

func (f *delayedActFlags) add(cmd *cobra.Command) {
	f.delayedFlags.add(cmd)
	cmd.Flags().BoolVar(&f.all, "all", false, "all jobs that match the filters")
	f.addCommon(cmd)
}

func (f *delayedActFlags) addCommon(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask for confirmation")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print a JSON object: done, gone, refused, undo")
}

// check parses the ids.
func (f *delayedActFlags) check(k kind, named []string) ([]resque.DelayedID, error) {
	return parseNamed(k, named, f.all, f.given(), resque.ParseDelayedID)
}

// withDelayed calls fn with the delayed jobs in the command's Redis. The context ends at
// INT and TERM.
func (e *Env) withDelayed(ctx context.Context, fn func(ctx context.Context, d *resque.Delayed) error) error {
	return e.withClient(ctx, func(ctx context.Context, client *resque.Client) error {
		ctx, stop := untilSignal(ctx)
		defer stop()
		return fn(ctx, client.Delayed())
	})
}

// withDelayedJobs is withDelayed for commands that remove or restore jobs.
func (e *Env) withDelayedJobs(ctx context.Context, fn func(ctx context.Context, d *resque.Delayed) error) error {
	return e.withJobs(ctx, func(ctx context.Context, client *resque.Client) error {
		ctx, stop := untilSignal(ctx)
		defer stop()
		return fn(ctx, client.Delayed())
	})
}

// moment is a flag whose value is a time: a date, a Unix time, or a duration from now.
type moment struct {
	at   time.Time
	text string
}

// Set parses "2026-01-15 12:00", "1768480796", "90m" or "7d".
func (m *moment) Set(text string) error {
	at, err := parseMoment(text, time.Now())
	if err != nil {
		return err
	}
	m.at, m.text = at, text
	return nil
}

func (m *moment) String() string { return m.text }

// Type names the value in the flag's help.
func (m *moment) Type() string { return "time" }

// parseMoment parses a date as parseInstant does, a Unix time, or a duration, which is
// counted from now into the future.
func parseMoment(text string, now time.Time) (time.Time, error) {
	if unix, err := strconv.ParseInt(text, 10, 64); err == nil && len(text) >= len("100000000") {
		return time.Unix(unix, 0), nil
	}
	at, err := parseInstant(text, now)
	if err != nil {
		return at, fmt.Errorf("want a time such as 2026-01-15 or '2026-01-15 12:00', or a duration such as 90m or 7d, got %q", text)
	}
	if isSpan(text) {
		at = now.Add(now.Sub(at))
	}
	return at, nil
}

// isSpan reports whether parseInstant reads text as a duration.
func isSpan(text string) bool {
	_, err := time.ParseDuration(text)
	return err == nil || strings.HasSuffix(text, "d")
}

// span is a flag whose value is a duration.
type span struct {
	d     time.Duration
	text  string
	given bool
}

// Set parses "90", "90m" or "7d".
func (s *span) Set(text string) error {
	now := time.Now()
	if n, err := strconv.ParseFloat(text, 64); err == nil && n >= 0 && n <= 1e9 {
		s.d = time.Duration(n * float64(time.Second))
	} else if at, err := parseInstant(text, now); err == nil && isSpan(text) {
		s.d = now.Sub(at)
	} else {
		return fmt.Errorf("want a duration such as 90 (seconds), 90m or 7d, got %q", text)
	}
	s.text, s.given = text, true
	return nil
}

func (s *span) String() string { return s.text }

// Type names the value in the flag's help.
func (s *span) Type() string { return "duration" }
