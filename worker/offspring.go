package worker

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
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
	taken  atomic.Bool // it is no spare any more
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

// lastWords is how long a child may live that has closed its pipe, and how long
// its pipe is listened to when it has ended: a job may have closed the one, and
// left the other to a process that it has forked.
const lastWords = time.Second

// listen hears what the child says until it ends, and reaps it.
func (c *child) listen(from *os.File) {
	defer close(c.gone)
	var reaping sync.WaitGroup
	reaping.Go(func() {
		_ = c.cmd.Wait() // ProcessState tells
		_ = from.SetReadDeadline(time.Now().Add(lastWords))
	})
	r := bufio.NewReader(from)
	for {
		f, err := hear(r)
		if err != nil {
			break
		}
		c.frames <- f
	}
	close(c.frames)
	_ = from.Close()
	end := time.AfterFunc(lastWords, c.kill)
	reaping.Wait()
	end.Stop()
	_ = c.to.Close()
}

// hear reads what a child says next.
func hear(r *bufio.Reader) (f frame, err error) {
	f.kind, _, err = readFrame(r, map[byte]any{frameEnded: &f.report})
	if err == nil && f.kind != frameReady && f.kind != frameAccepted && f.kind != frameEnded {
		err = fmt.Errorf("a frame of kind %q", f.kind)
	}
	return f, err
}

// born waits until the child is ready.
func (c *child) born(closing <-chan struct{}) error {
	late := time.NewTimer(birthTimeout)
	defer late.Stop()
	ours := true // to end it
	select {
	case f, ok := <-c.frames:
		if ok && f.kind == frameReady {
			return nil
		}
		ours = ok
	case <-late.C:
	case <-closing:
	}
	c.kill()
	<-c.gone
	status, signaled := proc.Status(c.cmd.ProcessState)
	if signaled && !ours {
		return fmt.Errorf("a child was ended before it was ready: %s", status)
	}
	return fmt.Errorf("%w (%s)", errNoServeChild, status)
}

func (c *child) kill() { _ = c.cmd.Process.Kill() } // one that has ended needs none

// retire lets the child end: it has no more jobs. One that takes long over it is
// killed.
func (c *child) retire() {
	_ = c.to.Close()
	time.AfterFunc(grace, c.kill)
}
