package worker

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/goresque/goresque/internal/proc"
)

// child is a child process, as its worker sees it.
type child struct {
	cmd    *exec.Cmd
	to     *os.File
	frames chan frame    // what it says; closed when it says no more
	gone   chan struct{} // closed when it has ended
	since  time.Time
	jobs   int
}

type frame struct {
	kind byte
	report
}

// startChild starts this program again, as a child that is to call ServeChild.
func startChild(ctx context.Context) (*child, error) {
	self, err := proc.Self()
	if err != nil {
		return nil, err
	}
	jobs, to, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe to a child: %w", err)
	}
	from, outcomes, err := os.Pipe()
	if err != nil {
		_, _ = jobs.Close(), to.Close()
		return nil, fmt.Errorf("making a pipe to a child: %w", err)
	}
	cmd := exec.CommandContext(ctx, self) // which never ends: its pipe ends it
	cmd.Args = os.Args
	cmd.Env = append(os.Environ(), childVariable+"=3,4")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{jobs, outcomes}
	cmd.SysProcAttr = withParent()
	err = cmd.Start()
	_, _ = jobs.Close(), outcomes.Close()
	if err != nil {
		_, _ = to.Close(), from.Close()
		return nil, fmt.Errorf("starting a child: %w", err)
	}
	c := &child{cmd: cmd, to: to, frames: make(chan frame, 4), gone: make(chan struct{}), since: time.Now()}
	go c.listen(from)
	return c, nil
}

// listen hears what the child says until it ends, and reaps it.
func (c *child) listen(from *os.File) {
	defer close(c.gone)
	r := bufio.NewReader(from)
	for {
		var f frame
		kind, _, err := readFrame(r, map[byte]any{frameEnded: &f.report})
		if err != nil {
			break
		}
		f.kind = kind
		c.frames <- f
	}
	close(c.frames)
	_ = from.Close()
	_ = c.cmd.Wait() // ProcessState tells
}

// born waits until the child is ready.
func (c *child) born(closing <-chan struct{}) error {
	late := time.NewTimer(birthTimeout)
	defer late.Stop()
	select {
	case f, ok := <-c.frames:
		if ok && f.kind == frameReady {
			return nil
		}
	case <-late.C:
	case <-closing:
	}
	c.kill()
	<-c.gone
	status, _ := proc.Status(c.cmd.ProcessState)
	return fmt.Errorf("%w (%s)", errNoServeChild, status)
}

func (c *child) kill() { _ = c.cmd.Process.Kill() } // one that has ended needs none

// retire lets the child end: it has no more jobs. One that takes long over it is
// killed.
func (c *child) retire() {
	_ = c.to.Close()
	time.AfterFunc(grace, c.kill)
}
