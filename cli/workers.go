package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// maxProcesses is more than one machine can use. A larger number is a mistake that would take all
// of its memory.
const maxProcesses = 1000

// workersCommand runs COUNT work processes.
//
// Ruby: rake resque:workers.
func workersCommand(env *Env) *cobra.Command {
	count := 1
	var flags workFlags // passed on to work unchanged
	cmd := &cobra.Command{
		Use:   "workers",
		Short: "Run several work processes",
		Long: `Runs COUNT processes of 'work' with the same flags, and forwards signals to them. It
ends when all of them have ended. One process with --concurrency needs less memory
and fewer connections.`,
		Example: "  COUNT=5 QUEUE='*' goresque workers",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if count < 1 {
				return UsageErrorf("--count (COUNT) is %d; it must be at least 1", count)
			}
			if count > maxProcesses {
				return UsageErrorf("--count (COUNT) is %d; it must be at most %d (--concurrency performs more jobs in a process)", count, maxProcesses)
			}
			if _, err := flags.config(env.app.Worker); err != nil {
				return err
			}
			if flags.background || flags.pidfile != "" || flags.logFile != "" {
				return UsageErrorf("workers does not take --background, --pidfile or --log-file: use them with 'goresque work'")
			}
			if flags.health != "" && count > 1 {
				return UsageErrorf("only one process can listen on --health %s: use work --concurrency, or --count 1", flags.health)
			}
			return env.fleet(cmd, count)
		},
	}
	flags.add(cmd)
	cmd.Flags().IntVar(&count, "count", 1, "number of processes to run")
	FromEnv(cmd, "count", "COUNT")
	return cmd
}

// fleet runs count work processes until all have ended.
func (e *Env) fleet(cmd *cobra.Command, count int) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwardedSignals()...)
	defer signal.Stop(signals)
	piped := make(chan os.Signal, 1) // continue if the reader of the log ends
	signal.Notify(piped, syscall.SIGPIPE)
	defer signal.Stop(piped)

	args, log := e.workArgs(cmd), e.Logger()
	processes := make([]*exec.Cmd, count)
	ended := make([]error, count)
	var running sync.WaitGroup
	for i := range processes {
		p := exec.CommandContext(cmd.Context(), self, args...)
		p.Stdout, p.Stderr = inherited(e.Stdout), e.Stderr
		p.SysProcAttr = apart() // they get a signal to the group only once, from this process
		for name, value := range e.vars {
			p.Env = append(p.Env, name+"="+value)
		}
		if err := p.Start(); err != nil {
			ended[i] = fmt.Errorf("starting a worker: %w", err)
			continue
		}
		processes[i] = p
		running.Go(func() {
			if err := p.Wait(); err != nil { // log at once: the others may run for weeks
				log.Error("worker process ended and is not replaced", "pid", p.Process.Pid, "err", err)
				ended[i] = fmt.Errorf("worker process %d: %w", p.Process.Pid, err)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		running.Wait()
		close(done)
	}()
	for {
		select {
		case <-done:
			return errors.Join(ended...)
		case sig := <-signals:
			for _, p := range processes {
				if p != nil {
					_ = p.Process.Signal(sig) // the process may have ended
				}
			}
		}
	}
}

// workArgs returns the arguments for work: the flags that were given to this command.
func (e *Env) workArgs(cmd *cobra.Command) []string {
	args := []string{"work"}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Changed || f.Name == "count" {
			return
		}
		values := []string{f.Value.String()}
		if several, ok := f.Value.(pflag.SliceValue); ok { // such as --exec: one flag per value
			values = several.GetSlice()
		}
		for _, value := range values {
			args = append(args, "--"+f.Name+"="+value)
		}
	})
	return args
}
