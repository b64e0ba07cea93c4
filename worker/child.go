package worker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/goresque/goresque/resque"
)

// childVariable marks a process as a worker's child and names its two pipes.
const childVariable = "GORESQUE_CHILD"

// IsChild tells whether this process was started by a worker with ForkPerJob to
// perform jobs. A program with such a worker asks it once its flags are read and
// its mux is made, before it listens, migrates or starts anything else:
//
//	if worker.IsChild() {
//		return worker.ServeChild(ctx, mux)
//	}
//
// A test binary asks it in TestMain.
func IsChild() bool { return os.Getenv(childVariable) != "" }

// ServeChild performs the jobs that the worker hands to this child, and returns
// when there are to be no more, or ends the process when the worker is gone. The
// child acts on no signal but KILL: its worker tells it to end a job. The end of
// ctx therefore does nothing; the values of ctx reach the jobs.
//
// Ruby: Resque::Worker#perform in the fork.
func ServeChild(ctx context.Context, handler resque.Handler) error {
	in, out, err := childPipes(os.Getenv(childVariable))
	if err != nil {
		return fmt.Errorf("worker: serving as a child: %w", err)
	}
	defer catchSignals()()
	c := &server{handler: handler, in: bufio.NewReader(in), out: out, jobs: make(chan task, 1)}
	var reading sync.WaitGroup
	reading.Go(c.read)
	if err := c.serve(context.WithoutCancel(ctx)); err != nil {
		return err // the worker does not listen any more: it waits for the end of this process
	}
	reading.Wait()
	return nil
}

// childPipes opens the pipes. Nothing that a job starts is to hold or to know
// them.
func childPipes(numbers string) (in, out *os.File, err error) {
	from, to, ok := strings.Cut(numbers, ",")
	read, bad := strconv.Atoi(from)
	write, worse := strconv.Atoi(to)
	if !ok || bad != nil || worse != nil {
		return nil, nil, fmt.Errorf("%s is %q, and should have the numbers of two pipes", childVariable, numbers)
	}
	if err := os.Unsetenv(childVariable); err != nil {
		return nil, nil, fmt.Errorf("unsetting %s: %w", childVariable, err)
	}
	closeOnExec(read)
	closeOnExec(write)
	return os.NewFile(uintptr(read), "jobs"), os.NewFile(uintptr(write), "outcomes"), nil
}

// server is a child at work.
type server struct {
	handler resque.Handler
	in      *bufio.Reader
	out     io.Writer
	jobs    chan task

	mu        sync.Mutex
	busy      bool                    // there is a job in hand, though it may not have begun
	cancel    context.CancelCauseFunc // of the job that has begun
	asked     bool                    // the job in hand is to end
	handsBack bool                    // and then goes back to its queue
}

type task struct {
	assignment
	payload []byte
}

// read takes what the worker says, until it closes the pipe. If that happens in
// the middle of a job the worker has died, and the job must not go on: another
// worker will be told that it failed, or perform it again.
func (c *server) read() {
	defer close(c.jobs)
	for {
		var (
			told  assignment
			asked ask
		)
		kind, payload, err := readFrame(c.in, map[byte]any{frameJob: &told, frameTerm: &asked})
		if err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.busy {
				os.Exit(1)
			}
			return
		}
		switch kind {
		case frameJob:
			c.set(true, nil)
			c.jobs <- task{told, payload}
		case frameTerm:
			c.term(asked.HandsBack)
		}
	}
}

// set notes that there is a job in hand, which cancel ends once it has begun, or
// none.
func (c *server) set(busy bool, cancel context.CancelCauseFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case cancel == nil:
		c.asked, c.handsBack = false, false
	case c.asked:
		cancel(resque.ErrTerm)
	}
	c.busy, c.cancel = busy, cancel
}

// term ends the job in hand. One that has ended meanwhile needs it no more.
func (c *server) term(handsBack bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.busy {
		return
	}
	c.asked, c.handsBack = true, handsBack
	if c.cancel != nil {
		c.cancel(resque.ErrTerm)
	}
}

// serve performs one job after the other.
func (c *server) serve(ctx context.Context) error {
	if err := writeFrame(c.out, frameReady, nil, nil); err != nil {
		return fmt.Errorf("worker: telling the worker that its child is ready: %w", err)
	}
	for t := range c.jobs {
		if err := writeFrame(c.out, frameAccepted, nil, nil); err != nil {
			return fmt.Errorf("worker: telling the worker that its child has the job: %w", err)
		}
		r := c.perform(ctx, t)
		c.set(false, nil)
		if err := writeFrame(c.out, frameEnded, r, nil); err != nil {
			return fmt.Errorf("worker: telling the worker how a job ended: %w", err)
		}
	}
	return nil
}

// perform performs one job, in a goroutine of its own because of Goexit.
func (c *server) perform(ctx context.Context, t task) (r report) {
	job, err := resque.ParseReserved(t.Queue, t.payload)
	if err != nil { // the worker could read it
		return reportOf(&resque.Reserved{Queue: t.Queue, Payload: t.payload}, false, err)
	}
	job.Worker = t.Worker
	outer := job
	if job, err = resque.Unwrap(c.handler, outer); err != nil { // so could the worker
		return reportOf(outer, false, err)
	}
	ctx, cancel := context.WithCancelCause(withChild(ctx))
	defer cancel(nil)
	if t.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, t.Timeout, &resque.TimeoutError{Class: job.Class, After: t.Timeout})
		defer stop()
	}
	c.set(true, cancel)
	unknown, err := false, errGoexit
	var performing sync.WaitGroup
	performing.Go(func() { unknown, err = ended(ctx, job.Class, resque.Perform(ctx, c.handler, job)) })
	performing.Wait()
	if err != nil && !unknown && !isDontPerform(err) && !c.handedBack(err) {
		err = resque.FailureHooks(resque.WithReserved(context.WithoutCancel(ctx), job), c.handler, job, err)
	}
	return reportOf(job, unknown, err)
}

func (c *server) handedBack(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handsBack && (isTerm(err) || isDirtyExit(err))
}

type childKey struct{}

func withChild(ctx context.Context) context.Context { return context.WithValue(ctx, childKey{}, true) }

// AfterFork is middleware that calls hook before each job that a child performs,
// in the child. An error fails the job. Jobs of workers without ForkPerJob do
// without it.
//
// Ruby: Resque.after_fork.
func AfterFork(hook resque.HandlerFunc) resque.Middleware {
	return resque.BeforePerform(func(ctx context.Context, job *resque.Reserved) error {
		if ctx.Value(childKey{}) == nil {
			return nil
		}
		return hook(ctx, job)
	})
}
