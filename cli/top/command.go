// Package top is the command 'goresque top', which shows queues, workers and jobs in a
// terminal. It is a separate package because it needs modules that other users of
// package cli do not need. A command with your own jobs can have it:
//
//	cli.App{Mux: jobs, Commands: []func(*cli.Env) *cobra.Command{top.Command}}
package top

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/resque"
)

// Command returns the command.
func Command(env *cli.Env) *cobra.Command {
	var act, once, asJSON bool
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show queues, workers and jobs in the terminal",
		Long: `Shows queues, workers and jobs, and how they change: an overview, and tabs with the
queues, the running jobs, the newest failures, the delayed jobs and the retries. Press ?
for the keys. Nothing can be changed unless --act is given.

Without a terminal, or with --once, it prints the state as tables and ends.`,
		Example: `  goresque top
  goresque top --act
  goresque top --once
  goresque top --json | jq .waiting`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&act, "act", false, "allow keys that retry, run, remove, pause and stop")
	cmd.Flags().BoolVar(&once, "once", false, "print tables once")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object once")
	cmd.MarkFlagsMutuallyExclusive("act", "once")
	cmd.MarkFlagsMutuallyExclusive("act", "json")
	interval := cli.AddSeconds(cmd.Flags(), "interval", 2*time.Second, "read the state this often")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if interval() < 100*time.Millisecond {
			return cli.UsageErrorf("--interval is %v; it must be at least 0.1 seconds", interval())
		}
		isOnce := once || asJSON || !isTerminal(env)
		if act && isOnce {
			return cli.UsageErrorf("--act needs a terminal for its keys: run it in one, or use 'goresque failed', 'goresque delayed', 'goresque pause' and the like")
		}
		m := model{settings: settings{act: act, interval: interval(), texts: texts{ascii: !isUTF8(env)}}}
		return m.start(cmd.Context(), env, isOnce, asJSON)
	}
	return cmd
}

// isTerminal reports whether the command can show a screen and read keys.
func isTerminal(env *cli.Env) bool {
	out, ok := env.Stdout.(term.File)
	return ok && term.IsTerminal(out.Fd()) && term.IsTerminal(os.Stdin.Fd()) && env.Getenv("TERM") != "dumb"
}

// isUTF8 reports whether the terminal shows all characters, according to the locale.
func isUTF8(env *cli.Env) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := strings.ToUpper(env.Getenv(name)); value != "" {
			return strings.Contains(value, "UTF-8") || strings.Contains(value, "UTF8")
		}
	}
	return false
}

func (m model) start(ctx context.Context, env *cli.Env, once, asJSON bool) error {
	cfg := env.Redis()
	if !once {
		cfg.Logger = slog.New(slog.DiscardHandler) // the screen shows that Redis is away
	}
	client, err := env.NewClient(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if err := client.Redis().Ping(ctx); err != nil && (once || !isTemporary(err)) {
		return err // otherwise the screen shows it until Redis answers
	}
	m.reader = reader{client}
	if m.act {
		m.reader.client = env.WithJobs(ctx, client)
	}
	m.title = m.line(client.Redis().Namespace()+" on "+client.Redis().String(), cellWidth)
	ctx, stop := cli.UntilSignal(ctx)
	defer stop()
	if !once {
		reads, cancel := context.WithCancel(ctx)
		defer cancel() // for reads that have not ended
		return show(ctx, env, m.withCommands(reads))
	}
	s, err := m.reader.state(ctx)
	switch {
	case err != nil:
		return err
	case asJSON:
		return s.printJSON(env.Stdout, client.Redis().Namespace()+" on "+client.Redis().String())
	}
	s.printTables(env.Stdout, m)
	return nil
}

// isTemporary reports whether waiting can help.
func isTemporary(err error) bool {
	fault, ok := resque.Explain(err)
	return ok && fault.Temporary
}

// withCommands returns the model with the function that makes its commands. They end when
// ctx does.
func (m model) withCommands(ctx context.Context) model {
	m.run = func(most time.Duration, fn func(ctx context.Context) tea.Msg) tea.Cmd {
		return func() tea.Msg {
			ctx, cancel := context.WithTimeout(ctx, most)
			defer cancel()
			return fn(ctx)
		}
	}
	return m
}

// show shows the screen until a key or a signal ends it.
func show(ctx context.Context, env *cli.Env, m tea.Model) error {
	options := []tea.ProgramOption{
		tea.WithContext(ctx), tea.WithoutSignalHandler(), tea.WithOutput(env.Stdout), tea.WithInput(os.Stdin), tea.WithFPS(20),
	}
	if env.Getenv("NO_COLOR") != "" {
		options = append(options, tea.WithColorProfile(colorprofile.ASCII))
	}
	_, err := tea.NewProgram(m, options...).Run()
	if ctx.Err() != nil && errors.Is(err, tea.ErrProgramKilled) && !errors.Is(err, tea.ErrProgramPanic) {
		return nil // a signal
	}
	if err != nil {
		return fmt.Errorf("showing the screen: %w", err)
	}
	return nil
}
