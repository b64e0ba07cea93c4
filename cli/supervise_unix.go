//go:build unix

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/internal/proc"
)

// A command that performs a job runs under a supervisor: this program again,
// which leads a process group of its own. The worker keeps a pipe to it, and the
// end of the pipe, because the job is over or because the worker was killed,
// ends the whole group. Over a second pipe the supervisor says how the command
// ended.

// supervised is a command under a supervisor, as the job sees it.
type supervised struct {
	cmd    *exec.Cmd
	life   *os.File // its end is the group's
	stderr *tail
	done   chan struct{} // closed when the command has ended
	how    exit          // once it is done

	mu   sync.Mutex
	over bool // the group has ended; its number may be another's by now
}

func startSupervised(ctx context.Context, command string, environ []string, payload []byte, env *Env) (*supervised, error) {
	self, err := proc.Self()
	if err != nil {
		return nil, err
	}
	theirs, life, err := os.Pipe()
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it was doing
	}
	statuses, report, err := os.Pipe()
	if err != nil {
		_, _ = theirs.Close(), life.Close()
		return nil, err //nolint:wrapcheck // as above
	}
	p := &supervised{life: life, stderr: &tail{to: env.Stderr}, done: make(chan struct{})}
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), self, "supervise", command) // its pipe ends it
	p.cmd.Env = environ
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = bytes.NewReader(payload), env.Stdout, p.stderr
	p.cmd.ExtraFiles = []*os.File{theirs, report}
	p.cmd.SysProcAttr = apart()
	p.cmd.WaitDelay = time.Second // for what has left the group and still holds standard error
	err = p.cmd.Start()
	_, _ = theirs.Close(), report.Close()
	if err != nil {
		_, _ = life.Close(), statuses.Close()
		return nil, err //nolint:wrapcheck // as above
	}
	go p.wait(statuses)
	return p, nil
}

// wait waits for the command's end, which done tells.
func (p *supervised) wait(statuses io.ReadCloser) {
	defer close(p.done)
	defer func() { _ = statuses.Close() }()
	told := json.NewDecoder(statuses).Decode(&p.how)
	p.end()
	_ = p.cmd.Wait() // ProcessState tells
	if told != nil { // the supervisor itself was ended
		p.how = exitOf(p.cmd.ProcessState)
	}
}

// end ends the group, which its supervisor does unless it was ended itself. It
// is not reaped yet, so that the number is still the group's.
func (p *supervised) end() {
	p.signal(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}

// signal sends TERM, or KILL, to all of the group.
func (p *supervised) signal(kill bool) {
	sig := syscall.SIGTERM
	if kill {
		sig = syscall.SIGKILL
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		_ = syscall.Kill(-p.cmd.Process.Pid, sig) // a group that has ended needs none
	}
}

func (p *supervised) close() { _ = p.life.Close() }

// superviseCommand is the supervisor. It is started by shellJob alone.
func superviseCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "supervise COMMAND",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(_ *cobra.Command, args []string) error { return supervise(args[0]) },
	}
}

func supervise(command string) error {
	if syscall.Getpgrp() != os.Getpid() || !isPipe(3) || !isPipe(4) {
		return UsageErrorf("supervise is for work --exec alone: it ends its whole process group")
	}
	life, report := os.NewFile(3, "life"), os.NewFile(4, "report")
	syscall.CloseOnExec(3)
	syscall.CloseOnExec(4)
	dropped := make(chan os.Signal, 1) // for the command; one that is full drops
	signal.Notify(dropped, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP,
		syscall.SIGUSR1, syscall.SIGUSR2)
	cmd := exec.CommandContext(context.Background(), "sh", "-c", command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the shell: %w", err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, life) // until the other end is closed
		endGroup()
	}()
	_ = cmd.Wait()                                               // ProcessState tells
	_ = json.NewEncoder(report).Encode(exitOf(cmd.ProcessState)) // fails only when nobody listens
	_ = report.Close()
	endGroup() // what the command left behind ends with it
	return nil
}

func isPipe(fd int) bool {
	var about syscall.Stat_t
	return syscall.Fstat(fd, &about) == nil && about.Mode&syscall.S_IFMT == syscall.S_IFIFO
}

// endGroup ends this process and all that the command has started.
func endGroup() { _ = syscall.Kill(0, syscall.SIGKILL) }
