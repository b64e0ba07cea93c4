package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// writePID writes a process id to a file, unless file is empty.
//
// Ruby: Resque::Worker#prepare.
func writePID(file, pid string) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o644) //nolint:gosec // for other users to read
	if err == nil {
		// The process and the one that started it write the same text. Another program that
		// reads the file meanwhile must find it, so the file is not emptied first.
		if _, err = f.WriteString(pid); err == nil {
			err = f.Truncate(int64(len(pid)))
		}
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("writing the process id for --pidfile (PIDFILE): %w", err)
	}
	return nil
}

// rehearse returns the errors that a process in the background would have at its
// start. No one would see them there.
func rehearse(ctx context.Context, client *resque.Client, mux *resque.Mux, cfg worker.Config, flags *workFlags) error {
	cfg.Logger = slog.New(slog.DiscardHandler) // the background process logs the same
	w, err := worker.New(client, mux, cfg)
	if err != nil {
		return UsageErrorf("%w", err)
	}
	if flags.health != "" {
		end, err := serveHealth(ctx, flags.health, ofWorker(client, w))
		if err != nil {
			return err
		}
		end()
	}
	return tryPIDFile(flags.pidfile)
}

// tryPIDFile checks that the file can be written, without changing its content.
func tryPIDFile(file string) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o644) //nolint:gosec // for other users to read
	if err != nil {
		return fmt.Errorf("writing the process id for --pidfile (PIDFILE): %w", err)
	}
	return f.Close() //nolint:wrapcheck // nothing was written
}

// daemon are the flags of a process in the background.
type daemon struct {
	background       bool
	pidfile, logFile string
	pidLine          bool // pidfile ends in a newline, as Ruby's scheduler writes it
}

func (d *daemon) addLogFile(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.logFile, "log-file", "", "file to which the process in the background appends its log and other output; needs --background")
	FromEnv(cmd, "log-file", "RESQUE_LOG_FILE")
}

// check refuses a log file without --background. The process in the background has
// --background=false.
func (d *daemon) check(cmd *cobra.Command) error {
	if d.logFile != "" && !d.background && !cmd.Flags().Changed("background") {
		return UsageErrorf("--log-file (RESQUE_LOG_FILE) has no effect without --background (BACKGROUND): redirect standard error instead")
	}
	return nil
}

// daemonize starts this command again, detached from the terminal, and prints the new
// process id. Its standard output and error go to the log file, if there is one. Errors
// in the flags were reported before.
//
// Ruby: Process.daemon in Resque::Worker#prepare.
func (e *Env) daemonize(d daemon) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("starting in the background: %w", err)
	}
	args := append(slices.Clone(os.Args[1:]), "--background=false") // the last one counts
	cmd := exec.CommandContext(context.Background(), self, args...) // runs longer than this process
	cmd.SysProcAttr = detached()
	for name, value := range e.vars {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if d.logFile != "" {
		log, err := os.OpenFile(d.logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644) //nolint:gosec // for other users to read
		if err != nil {
			return fmt.Errorf("opening the log file of --log-file (RESQUE_LOG_FILE): %w", err)
		}
		defer func() { _ = log.Close() }() // the new process has its own
		cmd.Stdout, cmd.Stderr = log, log
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting in the background: %w", err)
	}
	// The new process writes the file as well. But a reader of the file must not find
	// an old id after this command has returned.
	pid := strconv.Itoa(cmd.Process.Pid)
	if d.pidLine {
		pid += "\n"
	}
	if err := writePID(d.pidfile, pid); err != nil {
		_ = cmd.Process.Kill() // the next sweep recovers a job that it may have started
		return err
	}
	fmt.Fprintln(e.Stdout, "working in the background as process", cmd.Process.Pid)
	return cmd.Process.Release() //nolint:wrapcheck // cannot fail for a process that was just started
}
