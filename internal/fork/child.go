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

// child is a child process, as its parent sees it.
type child struct {
	cmd     *exec.Cmd
	to      *os.File
	frames  chan frame    // what it sends; closed when it sends no more
	ended   chan struct{} // closed when the process has ended
	started time.Time
	jobs    int         // that it was handed
	taken   atomic.Bool // a slot has it: it is not a spare
}

// How long a child may take to be ready, to end when it has no more jobs, and to
// end after it closed its pipe. The last is also how long its pipe is read after
// it ended: a job may have left the pipe to a process that it started.
const (
	readyTimeout  = time.Minute
	retireTimeout = 5 * time.Second
	pipeTimeout   = time.Second
)

// errNotServing is the error of a child that ended by itself before it was ready:
// the program does not serve.
var errNotServing = errors.New("a child ended before it was ready: " +
	"a program with ForkPerJob must call worker.ServeChild if worker.IsChild() is true (see there)")

// EndedError is the end of a child process before the end of its job.
type EndedError struct {
	Status   string // as proc.Status has it
	Signaled bool
}

// Error says so in Ruby's words.
//
// Ruby: Resque::Worker#perform_with_fork.
func (e *EndedError) Error() string {
	if e.Signaled {
		return "Child process received unhandled signal " + e.Status
	}
	return "Child process ended in the middle of its job: " + e.Status
}

// startChild starts this program again, as a child that is to call Serve.
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
	cmd := exec.CommandContext(ctx, self) // ctx never ends: the end of the pipe ends the child
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

// listen reads what the child sends until it ends, and reaps it.
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

// waitReady waits until the child is ready. A child that is not ready in time, or
// when closing is closed, is killed.
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
		return fmt.Errorf("a child was ended before it was ready: %s", status)
	}
	return fmt.Errorf("%w (%s)", errNotServing, status)
}

// endedError waits for the end of the process and returns how it ended.
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

// retire tells the child that there are no more jobs. One that does not end in
// time is killed.
func (c *child) retire() {
	_ = c.to.Close()
	time.AfterFunc(retireTimeout, c.kill)
}
