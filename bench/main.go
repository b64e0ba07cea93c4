package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
)

func main() {
	os.Exit(start(os.Args[1:], os.Stdout, os.Stderr))
}

func start(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if text := os.Getenv(taskVariable); text != "" {
		err = serve(ctx, text, os.Stdin, stdout)
	} else {
		err = run(ctx, args, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// options are the values of the command's flags.
type options struct {
	quick    bool
	rounds   int
	only     *regexp.Regexp
	systems  *regexp.Regexp
	goworker string
	before   string
	from     string
	json     string
	svg      string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.BoolVar(&o.quick, "quick", false, "make one short round, to check that everything runs")
	f.IntVar(&o.rounds, "rounds", 5, "`number` of times to make each measurement")
	only := f.String("only", "", "measure only the rows whose names match this `regexp`")
	systems := f.String("systems", "", "measure only the systems whose names match this `regexp`")
	f.StringVar(&o.goworker, "goworker", "", "also measure goworker, from the checkout of its master in this `directory`")
	f.StringVar(&o.before, "before", "", "also measure an earlier version of goresque, from its checkout in this `directory`")
	f.StringVar(&o.from, "from", "", "measure nothing, but print the figures in this JSON `file` and make their chart")
	f.StringVar(&o.json, "json", "bench.json", "write the figures to this `file`; empty to write none")
	f.StringVar(&o.svg, "svg", "bench.svg", "write the chart to this `file`; empty to write none")
	if err := f.Parse(args); err != nil {
		return o, err //nolint:wrapcheck // the flag set has printed it
	}
	if o.quick {
		o.rounds = 1
	}
	var err, bad error
	o.only, err = regexp.Compile(*only)
	o.systems, bad = regexp.Compile(*systems)
	return o, errors.Join(err, bad)
}

// run makes all measurements and writes the results.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.from != "" {
		return show(o, stdout)
	}
	server, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer server.stop()
	systems, err := installed(ctx, o, server, stderr)
	if err != nil {
		return err
	}
	rows := planned(o)
	for round := range o.rounds {
		fmt.Fprintf(stderr, "round %d of %d\n", round+1, o.rounds)
		for _, row := range rows {
			if err := row.measure(ctx, server, systems, round, stderr); err != nil {
				return err
			}
		}
	}
	report := newReport(server, systems, rows, o)
	report.print(stdout)
	return report.save(o)
}

// show prints the figures of an earlier run and makes their chart.
func show(o options, stdout io.Writer) error {
	text, err := os.ReadFile(o.from)
	if err != nil {
		return fmt.Errorf("reading the figures: %w", err)
	}
	r := &report{}
	if err := json.Unmarshal(text, r); err != nil {
		return fmt.Errorf("reading the figures: %w", err)
	}
	r.print(stdout)
	o.json = "" // it would be the same
	return r.save(o)
}

func (r *report) save(o options) error {
	if o.json != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return fmt.Errorf("writing the figures: %w", err)
		}
		if err := os.WriteFile(o.json, append(text, '\n'), 0o644); err != nil { //nolint:gosec // anybody may read it
			return fmt.Errorf("writing the figures: %w", err)
		}
	}
	if o.svg != "" {
		if err := os.WriteFile(o.svg, r.chart(), 0o644); err != nil { //nolint:gosec // anybody may read it
			return fmt.Errorf("writing the chart: %w", err)
		}
	}
	return nil
}
