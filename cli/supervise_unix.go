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

// A command that performs a job runs under a supervisor: this program started again,
// as the leader of a new process group. The worker holds one end of a pipe to it.
// When that end is closed, because the job has ended or the worker was killed, the
// supervisor ends the whole group. Through a second pipe the supervisor reports how
// the command ended.

// supervised is a command under a supervisor, as the job sees it.
type supervised struct {
	cmd    *exec.Cmd
	life   *os.File // closing it ends the group
	stderr *tail
	done   chan struct{} // closed when the command has ended
	how    exit          // valid after done is closed

	mu   sync.Mutex
	over bool // the group has ended; another group may have its number now
}

func startSupervised(ctx context.Context, command string, environ []string, payload []byte, env *Env) (*supervised, error) {
	self, err := proc.Self()
	if err != nil {
		return nil, err
	}
	theirs, life, err := os.Pipe()
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller adds the context
	}
	statuses, report, err := os.Pipe()
	if err != nil {
		_, _ = theirs.Close(), life.Close()
		return nil, err //nolint:wrapcheck // as above
	}
	p := &supervised{life: life, stderr: &tail{to: env.Stderr}, done: make(chan struct{})}
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), self, "supervise", command) // it ends when the pipe is closed
	p.cmd.Env = environ
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = bytes.NewReader(payload), inherited(env.Stdout), p.stderr
	p.cmd.ExtraFiles = []*os.File{theirs, report}
	p.cmd.SysProcAttr = apart()
	p.cmd.WaitDelay = time.Second // a process that left the group may still hold standard error
	err = p.cmd.Start()
	_, _ = theirs.Close(), report.Close()
	if err != nil {
		_, _ = life.Close(), statuses.Close()
		return nil, err //nolint:wrapcheck // as above
	}
	go p.wait(statuses)
	return p, nil
}

// wait waits until the command has ended, then closes done.
func (p *supervised) wait(statuses io.ReadCloser) {
	defer close(p.done)
	defer func() { _ = statuses.Close() }()
	told := json.NewDecoder(statuses).Decode(&p.how)
	p.end()
	_ = p.cmd.Wait() // the result is in ProcessState
	if told != nil { // the supervisor itself was killed
		p.how = exitOf(p.cmd.ProcessState)
	}
}

// end kills the group. The supervisor does so too, unless it was killed itself. The
// supervisor has not been waited for yet, so the group's number is still valid.
func (p *supervised) end() {
	p.signal(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}

// signal sends TERM or KILL to the whole group.
func (p *supervised) signal(kill bool) {
	sig := syscall.SIGTERM
	if kill {
		sig = syscall.SIGKILL
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		_ = syscall.Kill(-p.cmd.Process.Pid, sig) // the group may have ended
	}
}

func (p *supervised) close() { _ = p.life.Close() }

// superviseCommand is the supervisor. Only shellJob starts it.
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
		return UsageErrorf("supervise is only for work --exec, because it kills its whole process group")
	}
	life, report := os.NewFile(3, "life"), os.NewFile(4, "report")
	syscall.CloseOnExec(3)
	syscall.CloseOnExec(4)
	dropped := make(chan os.Signal, 1) // signals are for the command: ignored here, because the channel is never read
	signal.Notify(dropped, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP,
		syscall.SIGUSR1, syscall.SIGUSR2)
	cmd := exec.CommandContext(context.Background(), "sh", "-c", command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the shell: %w", err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, life) // returns when the worker's end is closed
		endGroup()
	}()
	_ = cmd.Wait()                                               // the result is in ProcessState
	_ = json.NewEncoder(report).Encode(exitOf(cmd.ProcessState)) // fails only if the worker is gone
	_ = report.Close()
	endGroup() // also ends what the command has left running
	return nil
}

func isPipe(fd int) bool {
	var about syscall.Stat_t
	return syscall.Fstat(fd, &about) == nil && about.Mode&syscall.S_IFMT == syscall.S_IFIFO
}

// endGroup kills this process and everything that the command has started.
func endGroup() { _ = syscall.Kill(0, syscall.SIGKILL) }
