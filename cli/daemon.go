package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

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
	if err := os.WriteFile(file, []byte(pid), 0o644); err != nil { //nolint:gosec // for other users to read
		return fmt.Errorf("writing the process id: %w", err)
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
		return fmt.Errorf("writing the process id: %w", err)
	}
	return f.Close() //nolint:wrapcheck // nothing was written
}

// daemonize starts this command again, detached from the terminal and without
// standard output, and prints the new process id. Errors in the flags were reported
// before.
//
// Ruby: Process.daemon in Resque::Worker#prepare.
func (e *Env) daemonize(pidfile string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("starting in the background: %w", err)
	}
	cmd := exec.CommandContext(context.Background(), self, os.Args[1:]...) // runs longer than this process
	cmd.SysProcAttr = detached()
	for name, value := range e.vars {
		if name != "BACKGROUND" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.Env = append(cmd.Env, "BACKGROUND=")
	cmd.Args = slices.DeleteFunc(cmd.Args, func(arg string) bool { // in every spelling, or the new process would start another
		return arg == "--background" || strings.HasPrefix(arg, "--background=")
	})
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting in the background: %w", err)
	}
	// The new process writes the file as well. But a reader of the file must not find
	// an old id after this command has returned.
	if err := writePID(pidfile, strconv.Itoa(cmd.Process.Pid)); err != nil {
		_ = cmd.Process.Kill() // the next sweep recovers a job that it may have started
		return err
	}
	fmt.Fprintln(e.Stdout, "working in the background as process", cmd.Process.Pid)
	return cmd.Process.Release() //nolint:wrapcheck // cannot fail for a process that was just started
}
