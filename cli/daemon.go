package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// writePID writes this process's id to a file, where one is named.
//
// Ruby: Resque::Worker#prepare.
func writePID(file string) error {
	if file == "" {
		return nil
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil { //nolint:gosec // others read it
		return fmt.Errorf("writing the process id: %w", err)
	}
	return nil
}

// daemonize starts this command again, apart from the terminal and without
// standard output, and says which process it is. What can be wrong with the call
// was told before.
//
// Ruby: Process.daemon in Resque::Worker#prepare.
func (e *Env) daemonize() error {
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
	fmt.Fprintln(e.Stdout, "working in the background as process", cmd.Process.Pid)
	return cmd.Process.Release() //nolint:wrapcheck // it cannot fail on a process that was just started
}
