package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/doctor"
)

// doctorCommand looks for what is wrong with a Resque.
func doctorCommand(env *Env) *cobra.Command {
	var asJSON, fix, yes bool
	var restore string
	opts := doctor.Options{}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong with this Resque",
		Long: `Looks for what is wrong with this Resque, or soon may be: settings of Redis that lose jobs,
keys of the wrong type, silent workers, queues that no worker serves, delayed jobs that
nothing moves, recurring entries that cannot be read, locks and counters of jobs that do not
exist. For each finding it prints a code, what was seen, what it costs, and what to do. It
changes nothing without --fix.

It reads all keys of the namespace, some at a time.

Exit status: 0 if there is no problem (there may be notices), 1 if there are problems, 2 for a
wrong call.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.Limit < 0 {
				return UsageErrorf("--limit is %d; it must not be negative (0 looks at all)", opts.Limit)
			}
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				if restore != "" {
					n, err := client.Restore(ctx, restore)
					if err == nil {
						fmt.Fprintf(env.Stdout, "%d restored\n", n)
					}
					return err
				}
				return env.examine(ctx, client, opts, doctorFlags{asJSON, fix, yes})
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&asJSON, "json", false, "print a JSON object")
	flags.BoolVar(&fix, "fix", false, "also do what can be done without a loss, after a confirmation")
	flags.BoolVar(&yes, "yes", false, "do not ask for confirmation")
	flags.StringVar(&restore, "restore", "", "put back what --fix has moved to this trash, and check nothing")
	flags.BoolVar(&opts.Deep, "deep", false, "read all jobs, also if there are more than 100,000")
	flags.Int64Var(&opts.Limit, "limit", 0, "maximum number of keys to look at, approximately; 0 for all")
	flags.StringVar(&opts.LockPrefix, "lock-prefix", "", "prefix of the lock's name, if the schedulers have one")
	cmd.MarkFlagsMutuallyExclusive("restore", "fix")
	return cmd
}

type doctorFlags struct{ asJSON, fix, yes bool }

type doctorJSON struct {
	doctor.Report
	Seconds float64        `json:"seconds"`
	Fixed   []doctor.Fixed `json:"fixed,omitempty"`
}

// examine prints the report and, if it is wanted, does what can be done about it. It returns
// an error if there are problems afterwards.
func (e *Env) examine(ctx context.Context, client *resque.Client, opts doctor.Options, flags doctorFlags) error {
	report, err := doctor.Check(ctx, client, opts)
	if err != nil {
		return err
	}
	if !flags.asJSON {
		e.printReport(report)
	}
	var fixed []doctor.Fixed
	problems := report.Problems()
	if flags.fix {
		if fixed, err = e.fix(ctx, client, opts, report, flags.yes); err != nil {
			return err
		}
	}
	if flags.asJSON {
		e.printJSON(doctorJSON{report, report.Took.Seconds(), fixed})
	}
	if len(fixed) > 0 {
		after, err := doctor.Check(ctx, client, opts)
		if err != nil {
			return err
		}
		problems = after.Problems()
	}
	if problems > 0 {
		return fmt.Errorf("%d problem(s) found", problems)
	}
	return nil
}

// fix does what can be done about the findings of a report.
func (e *Env) fix(ctx context.Context, client *resque.Client, opts doctor.Options, report doctor.Report, yes bool) ([]doctor.Fixed, error) {
	var codes []string
	for _, f := range report.Findings {
		if f.Fixable {
			codes = append(codes, f.Code)
		}
	}
	if len(codes) == 0 {
		fmt.Fprintln(e.Stderr, "There is nothing that --fix can do.")
		return nil, nil
	}
	if err := e.confirm(yes, "do what can be done about %s", strings.Join(codes, ", ")); err != nil {
		return nil, err
	}
	fixed, err := doctor.Fix(ctx, client, opts)
	for _, f := range fixed {
		fmt.Fprintf(e.Stderr, "fixed %s: %d %s\n", f.Code, f.N, f.Done)
		for _, token := range f.Trash {
			fmt.Fprintf(e.Stderr, "  to put them back within a day: goresque doctor --restore %s\n", token)
		}
	}
	return fixed, err
}

func (e *Env) printReport(report doctor.Report) {
	for _, f := range report.Findings {
		title := f.Title
		if f.Count > 0 {
			title = fmt.Sprintf("%s (%d)", title, f.Count)
		}
		fmt.Fprintf(e.Stdout, "%s %s: %s\n", f.Code, f.Severity, title)
		for _, line := range f.Evidence {
			fmt.Fprintf(e.Stdout, "    %s\n", oneLine(line, 200))
		}
		if n := f.Count - int64(len(f.Evidence)); n > 0 && len(f.Evidence) > 0 {
			fmt.Fprintf(e.Stdout, "    and %d more\n", n)
		}
		fmt.Fprintf(e.Stdout, "  cost: %s\n  do:   %s\n\n", f.Cost, f.Fix)
	}
	for _, u := range report.Unchecked {
		fmt.Fprintf(e.Stdout, "not checked: %v: %s\n", u.Codes, u.Reason)
	}
	server := report.Server
	if server == "" {
		server = "Redis"
	}
	fmt.Fprintf(e.Stdout, "%d finding(s), %d of them problems; looked at %d keys of %s in %v\n",
		len(report.Findings), report.Problems(), report.Keys, server, report.Took.Round(time.Millisecond))
}
