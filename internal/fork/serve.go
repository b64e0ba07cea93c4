package fork

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
)

// variable is the environment variable of a child. It has the numbers of its two pipes.
const variable = "GORESQUE_CHILD"

// IsChild reports whether a pool started this process and Serve was not called yet.
func IsChild() bool { return os.Getenv(variable) != "" }

// Perform performs a job in a child. ctx ends when the parent stops the job. returns then
// reports whether the job goes back to its queue.
type Perform func(ctx context.Context, job Job, returns func() bool) Report

// Serve performs the jobs that the parent sends to this child, one after the other. It
// returns when there are no more, and exits the process if the parent ends during a job.
// It ignores every signal except KILL. cause returns the cause with which the context of
// a job ends when the parent stops the job; text is the Cause of its Stop.
func Serve(ctx context.Context, cause func(text string) error, perform Perform) error {
	in, out, err := openPipes(os.Getenv(variable))
	if err != nil {
		return err
	}
	defer dropSignals()()
	s := &server{perform: perform, cause: cause, in: bufio.NewReader(in), out: out, jobs: make(chan Job, 1)}
	var reading sync.WaitGroup
	reading.Go(s.read)
	if err := s.serve(ctx); err != nil {
		return err // the parent no longer reads and waits for the end of this process
	}
	reading.Wait()
	return nil
}

// openPipes opens the pipes. Processes that a job starts inherit neither the pipes nor
// the variable.
func openPipes(numbers string) (in, out *os.File, err error) {
	from, to, ok := strings.Cut(numbers, ",")
	read, bad := strconv.Atoi(from)
	write, worse := strconv.Atoi(to)
	if !ok || bad != nil || worse != nil {
		return nil, nil, fmt.Errorf("%s is %q, not the numbers of two pipes", variable, numbers)
	}
	if err := os.Unsetenv(variable); err != nil {
		return nil, nil, fmt.Errorf("unsetting %s: %w", variable, err)
	}
	closeOnExec(read)
	closeOnExec(write)
	return os.NewFile(uintptr(read), "jobs"), os.NewFile(uintptr(write), "reports"), nil
}

// server serves jobs in a child.
type server struct {
	perform Perform
	cause   func(text string) error
	in      *bufio.Reader
	out     io.Writer
	jobs    chan Job

	mu      sync.Mutex
	busy    bool                    // there is a job, which may not have begun
	cancel  context.CancelCauseFunc // cancels the job; nil if it has not begun
	stopped bool                    // the parent has stopped the job
	returns bool                    // a stopped job goes back to its queue
	reason  string                  // the Cause of the parent's Stop
}

// read reads frames of the parent until it closes the pipe. If that happens during a
// job, the parent has died, and the job must not continue: another worker will fail it
// or perform it again.
func (s *server) read() {
	defer close(s.jobs)
	for {
		var (
			job  Job
			stop Stop
		)
		kind, payload, err := readFrame(s.in, map[byte]any{frameJob: &job, frameStop: &stop})
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.busy {
				os.Exit(1)
			}
			return
		}
		switch kind {
		case frameJob:
			s.set(true, nil)
			job.Payload = payload
			s.jobs <- job
		case frameStop:
			s.stop(stop)
		}
	}
}

// set notes whether there is a job, and the function that cancels it; nil if it has not
// begun.
func (s *server) set(busy bool, cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case cancel == nil:
		s.stopped, s.returns = false, false
	case s.stopped:
		cancel(s.cause(s.reason))
	}
	s.busy, s.cancel = busy, cancel
}

// stop stops the job, unless it has already ended.
func (s *server) stop(stop Stop) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.busy {
		return
	}
	s.stopped, s.returns, s.reason = true, stop.Returns, stop.Cause
	if s.cancel != nil {
		s.cancel(s.cause(s.reason))
	}
}

func (s *server) isReturned() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.returns
}

// serve performs one job after another.
func (s *server) serve(ctx context.Context) error {
	if err := writeFrame(s.out, frameReady, nil, nil); err != nil {
		return fmt.Errorf("reporting to the parent that the child is ready: %w", err)
	}
	for job := range s.jobs {
		if err := writeFrame(s.out, frameAccepted, nil, nil); err != nil {
			return fmt.Errorf("reporting to the parent that the child has the job: %w", err)
		}
		report := s.performOne(ctx, job)
		s.set(false, nil)
		if err := writeFrame(s.out, frameEnded, report, nil); err != nil {
			return fmt.Errorf("reporting to the parent how the job ended: %w", err)
		}
	}
	return nil
}

func (s *server) performOne(ctx context.Context, job Job) Report {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.set(true, cancel)
	return s.perform(ctx, job, s.isReturned)
}
