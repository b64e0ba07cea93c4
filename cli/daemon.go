package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// writePID writes a process's id to a file, where one is named.
//
// Ruby: Resque::Worker#prepare.
func writePID(file string, pid int) error {
	if file == "" {
		return nil
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), 0o644); err != nil { //nolint:gosec // others read it
		return fmt.Errorf("writing the process id: %w", err)
	}
	return nil
}

// rehearse finds out what would keep a process in the background from working,
// while there is somebody to be told: nobody sees what that one says.
func rehearse(ctx context.Context, rdb *resque.Redis, mux *resque.Mux, cfg worker.Config, flags *workFlags) error {
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	w, err := worker.New(client, mux, cfg)
	if err != nil {
		return UsageErrorf("%w", err)
	}
	if flags.health != "" {
		end, err := serveHealth(ctx, flags.health, rdb, w)
		if err != nil {
			return err
		}
		end()
	}
	return tryPIDFile(flags.pidfile)
}

// tryPIDFile makes sure that the file can be written, and leaves what it has.
func tryPIDFile(file string) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o644) //nolint:gosec // others read it
	if err != nil {
		return fmt.Errorf("writing the process id: %w", err)
	}
	return f.Close() //nolint:wrapcheck // nothing was written
}

// daemonize starts this command again, apart from the terminal and without
// standard output, and says which process it is. What can be wrong with the call
// was told before.
//
// Ruby: Process.daemon in Resque::Worker#prepare.
func (e *Env) daemonize(pidfile string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("going to the background: %w", err)
	}
	cmd := exec.CommandContext(context.Background(), self, os.Args[1:]...) // it outlives us
	cmd.SysProcAttr = detached()
	for name, value := range e.vars {
		if name != "BACKGROUND" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.Env = append(cmd.Env, "BACKGROUND=")
	cmd.Args = slices.DeleteFunc(cmd.Args, func(arg string) bool { // however it is spelled, or it would do the same
		return arg == "--background" || strings.HasPrefix(arg, "--background=")
	})
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("going to the background: %w", err)
	}
	// Now, and not only by the process itself: whoever reads the file when this
	// command has returned must not find an older process's id.
	if err := writePID(pidfile, cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill() // a job that it may have begun is recovered by the next sweep
		return err
	}
	fmt.Fprintln(e.Stdout, "working in the background as process", cmd.Process.Pid)
	return cmd.Process.Release() //nolint:wrapcheck // it cannot fail on a process that was just started
}
