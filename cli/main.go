package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
	"github.com/goresque/goresque/worker"
)

// App is a command: goresque's, or your own with your jobs.
type App struct {
	// Mux returns the jobs that the command knows: work performs them, and enqueue
	// knows their queues. Handlers can enqueue with client, which uses the Redis that the
	// flags name. It has no connection yet, and is closed when the command ends. ctx is
	// only for the call of Mux. Mux is called at most once in a process; each child process
	// of work calls it again.
	//
	// Defaults to a mux without jobs.
	Mux func(ctx context.Context, client *resque.Client) (*resque.Mux, error)

	// Redis, Client, Worker and Scheduler are the settings of the command. Flags and
	// variables that are given replace them. Settings without a flag, such as TLS or
	// hooks, apply unchanged.
	Redis     resque.RedisConfig
	Client    resque.Config
	Worker    worker.Config
	Scheduler scheduler.Config

	// NoTitle keeps the title of the process unchanged. Then work does not start the
	// program a second time (see Main).
	NoTitle bool

	// Commands return further commands, in addition to those of package cli.
	Commands []func(env *Env) *cobra.Command
}

// Main runs app with the arguments and the environment of this process and returns
// its exit status.
//
// On Linux, the work command shows its state as the title of the process, in ps and
// top. The title needs room. To get it, work starts the program once more, with the
// same process id, arguments, environment and standard files. So everything that main
// does before it calls Main runs twice, without its deferred calls in between, and in
// the second start os.Args[0] ends in spaces. Do little before Main, or set
// App.NoTitle.
func Main(app App) int {
	argv := takeArgv() // restores the arguments and the environment
	return app.run(context.Background(), os.Args[1:], newEnv(os.Environ(), os.Stdout, os.Stderr), argv)
}

// Run runs app with the given arguments and environment ("NAME=value") and returns
// the exit status. Commands that run until they are stopped end when ctx does.
func (a App) Run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	return a.run(ctx, args, newEnv(environ, stdout, stderr), nil)
}

func (a App) run(ctx context.Context, args []string, env *Env, argv *argv) int {
	if !a.NoTitle {
		env.argv = argv
	}
	env.app = a
	var lost func() error
	env.Stdout, lost = keepErrors(env.Stdout)
	root := a.root(env, args)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if lost := lost(); lost != nil {
		fmt.Fprintf(env.Stderr, "%s: the output could not be written: %v; changes that it has made in Redis stay\n", cmd.CommandPath(), lost)
		if err == nil || errors.Is(err, lost) {
			return 1
		}
	}
	if err == nil {
		return 0
	}
	if !env.called {
		err = misuse(cmd, err)
	}
	if cmd.Name() == "help" {
		cmd = cmd.Parent() // the help about help lists no commands
	}
	fmt.Fprintf(env.Stderr, "%s: %s\n", cmd.CommandPath(), withoutPackage(err))
	env.explain(err)
	var usage *usageError
	if errors.As(err, &usage) || !env.called {
		fmt.Fprintf(env.Stderr, "See '%s --help'.\n", cmd.CommandPath())
		return 2
	}
	return 1
}

// root returns the command. In a child process of work it has no other commands, because
// they take time to make.
func (a App) root(env *Env, args []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "goresque",
		Short:         "Go speaks Resque: perform, enqueue and manage Resque jobs",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmd.ValidateFlagGroups(); err != nil {
				return misuse(cmd, err)
			}
			if err := refuseEmpty(cmd); err != nil {
				return err
			}
			if name := oneDash(cmd, args); name != "" {
				return UsageErrorf("-%s: use --%[1]s, with two dashes", name)
			}
			env.called = true
			if err := env.fill(cmd); err != nil {
				return err
			}
			return env.flags.check()
		},
	}
	env.root = root
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.PersistentFlags().StringVarP(&env.redisURL, "redis", "r", "", "Redis to use, such as redis://localhost:6379/0 or host:port:db")
	root.PersistentFlags().StringVarP(&env.namespace, "namespace", "N", "", `namespace of the keys (default "resque")`)
	env.flags.add(root)
	FromEnv(root, "redis", "REDIS_URL")
	FromEnv(root, "namespace", "RESQUE_NAMESPACE")
	root.AddCommand(workCommand(env))
	if worker.IsChild() {
		if cmd, _, err := root.Find(args); err == nil && cmd != root {
			return root
		}
	}
	root.AddCommand(
		workersCommand(env), schedulerCommand(env), scheduleCommand(env), enqueueCommand(env),
		queuesCommand(env), peekCommand(env), infoCommand(env), doctorCommand(env),
		listCommand(env), killCommand(env), removeCommand(env),
		failedCommand(env), delayedCommand(env), retriesCommand(env), batchesCommand(env), cancelCommand(env), statusCommand(env), webCommand(env), pauseCommand(env), resumeCommand(env), limitsCommand(env), locksCommand(env), versionCommand(env), superviseCommand(),
	)
	for _, command := range a.Commands {
		root.AddCommand(command(env))
	}
	checkedHelp(root)
	explainMisuse(root, args)
	return root
}

// withoutPackage returns the text of an error without the name of the package it comes from,
// which means nothing to a user of the command.
func withoutPackage(err error) string {
	return regexp.MustCompile(`^(?:activejob|batch|doctor|limit|outbox|resque|retry|scheduler|status|unique|web|worker): `).ReplaceAllString(err.Error(), "")
}

// usageError is an error in the usage of the command: exit status 2.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

func (e *usageError) Unwrap() error { return e.err }

// UsageErrorf returns an error that reports wrong usage. The command then exits with
// status 2.
func UsageErrorf(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}
