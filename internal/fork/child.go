package fork

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goresque/goresque/internal/proc"
)

// child is a child process on the side of the parent.
type child struct {
	cmd     *exec.Cmd
	to      *os.File
	frames  chan frame    // from the child; closed when there are no more
	ended   chan struct{} // closed when the process has ended
	started time.Time
	jobs    int         // number of jobs that it was given
	taken   atomic.Bool // a slot has taken it: it is not a spare
}

// How long a child may take to be ready, to end when it has no more jobs, and to end
// after it closed its pipe. pipeTimeout is also how long the pipe is read after the
// child ended: a process that its job started may still have the pipe open.
const (
	readyTimeout  = time.Minute
	retireTimeout = 5 * time.Second
	pipeTimeout   = time.Second
)

// errNotServing is the error of a child that exited before it was ready: the program
// does not call Serve.
var errNotServing = errors.New("a child ended before it was ready: " +
	"a program with ForkPerJob must call worker.ServeChild if worker.IsChild() is true")

// EndedError is the error of a job whose child process ended before the job did.
type EndedError struct {
	Status   string // from proc.Status
	Signaled bool
}

// Error returns Ruby's message.
//
// Ruby: Resque::Worker#perform_with_fork.
func (e *EndedError) Error() string {
	if e.Signaled {
		return "Child process received unhandled signal " + e.Status
	}
	return "Child process ended in the middle of its job: " + e.Status
}

// startChild starts this program again, as a child that must call Serve.
func startChild(ctx context.Context, environ []string) (*child, error) {
	self, err := proc.Self()
	if err != nil {
		return nil, err
	}
	jobs, to, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe to a child: %w", err)
	}
	from, reports, err := os.Pipe()
	if err != nil {
		_, _ = jobs.Close(), to.Close()
		return nil, fmt.Errorf("making a pipe to a child: %w", err)
	}
	cmd := exec.CommandContext(ctx, self) // ctx never ends: a child ends when its pipe is closed
	cmd.Args = os.Args
	cmd.Env = append(append(os.Environ(), environ...), variable+"=3,4")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{jobs, reports}
	cmd.SysProcAttr = withParent()
	err = cmd.Start()
	_, _ = jobs.Close(), reports.Close()
	if err != nil {
		_, _ = to.Close(), from.Close()
		return nil, fmt.Errorf("starting a child: %w", err)
	}
	c := &child{cmd: cmd, to: to, frames: make(chan frame, 4), ended: make(chan struct{}), started: time.Now()}
	go c.listen(from)
	return c, nil
}

// listen reads the frames of the child until it ends, and reaps it.
func (c *child) listen(from *os.File) {
	defer close(c.ended)
	var reaping sync.WaitGroup
	reaping.Go(func() {
		_ = c.cmd.Wait() // ProcessState has the result
		_ = from.SetReadDeadline(time.Now().Add(pipeTimeout))
	})
	r := bufio.NewReader(from)
	for {
		f, err := readFromChild(r)
		if err != nil {
			break
		}
		c.frames <- f
	}
	close(c.frames)
	_ = from.Close()
	kill := time.AfterFunc(pipeTimeout, c.kill)
	reaping.Wait()
	kill.Stop()
	_ = c.to.Close()
}

// waitReady waits until the child is ready. It kills the child after readyTimeout, or
// when closing is closed.
func (c *child) waitReady(closing <-chan struct{}) error {
	late := time.NewTimer(readyTimeout)
	defer late.Stop()
	killed := true
	select {
	case f, ok := <-c.frames:
		if ok && f.kind == frameReady {
			return nil
		}
		killed = ok
	case <-late.C:
	case <-closing:
	}
	c.kill()
	<-c.ended
	status, signaled := proc.Status(c.cmd.ProcessState)
	if signaled && !killed {
		return fmt.Errorf("a child was killed before it was ready: %s", status)
	}
	return fmt.Errorf("%w (%s)", errNotServing, status)
}

// endedError waits until the process has ended and returns an *EndedError.
func (c *child) endedError() error {
	<-c.ended
	status, signaled := proc.Status(c.cmd.ProcessState)
	return &EndedError{status, signaled}
}

// killOn kills the child when killed is closed, until unwatch is called.
func (c *child) killOn(killed <-chan struct{}) (unwatch func()) {
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-killed:
			c.kill()
		case <-done:
		}
	})
	return func() {
		close(done)
		watching.Wait()
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (c *child) kill() { _ = c.cmd.Process.Kill() } // it may have ended

// retire closes the pipe to the child: there are no more jobs. The child is killed if it
// does not end within retireTimeout.
func (c *child) retire() {
	_ = c.to.Close()
	time.AfterFunc(retireTimeout, c.kill)
}
