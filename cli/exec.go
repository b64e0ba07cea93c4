package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/proc"
	"github.com/goresque/goresque/resque"
)

// execRoutes adds the classes of --exec to mux.
func execRoutes(mux *resque.Mux, pairs []string, termTimeout time.Duration, env *Env) error {
	for _, pair := range pairs {
		class, command, ok := strings.Cut(pair, "=")
		class = strings.TrimSpace(class)
		if !ok || class == "" || strings.TrimSpace(command) == "" {
			return UsageErrorf("--exec %q: want CLASS=COMMAND, such as --exec 'Thumbnail=./thumbnail.sh'", pair)
		}
		if _, taken := mux.Route(class); taken {
			return UsageErrorf("--exec %q: class %s already has a handler", pair, class)
		}
		if mux.Wraps(class) {
			return UsageErrorf("--exec %q: %s is a wrapper for jobs of other classes: use the class of the job inside", pair, class)
		}
		c := &shellJob{command: command, termTimeout: termTimeout, env: env}
		mux.HandleFunc(class, c.perform)
	}
	return nil
}

// shellJob performs jobs with a shell command, in any language. The command gets the
// payload on standard input. Exit status 0 is success; otherwise the last line of
// standard error is the error message.
type shellJob struct {
	command     string
	termTimeout time.Duration
	env         *Env
}

// longestArgs is the largest length of RESQUE_ARGS, because the size of an
// environment is limited. The payload on standard input always has the arguments.
const longestArgs = 64 << 10

// perform runs the command under a supervisor, see superviseCommand. When ctx ends,
// the command gets TERM and, after the term timeout, KILL.
func (s *shellJob) perform(ctx context.Context, job *resque.Payload) error {
	p, err := startSupervised(ctx, s.command, s.environ(job), job.Raw, s.env)
	if err != nil {
		return fmt.Errorf("starting the command: %w", err)
	}
	defer p.close()
	told := ctx.Done()
	var late <-chan time.Time
	killed := false
	for {
		select {
		case <-p.done:
			return s.ended(ctx, p, killed)
		case <-told:
			told = nil
			p.signal(false)
			late = time.After(s.termTimeout)
		case <-late:
			killed = true
			p.signal(true)
		}
	}
}

// ended returns the error for a command that has ended.
func (s *shellJob) ended(ctx context.Context, p *supervised, killed bool) error {
	switch {
	case p.how.OK:
		return nil
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), resque.ErrTerm):
		return context.Cause(ctx) // for example its time limit
	case killed, ctx.Err() == nil && p.how.Signaled:
		return &resque.DirtyExitError{Message: "Child process received unhandled signal " + p.how.Text}
	case ctx.Err() != nil:
		return fmt.Errorf("%w", resque.ErrTerm)
	}
	return &exitError{status: p.how.Text, stderr: p.stderr.String()}
}

func (s *shellJob) environ(job *resque.Payload) []string {
	vars := slices.DeleteFunc(os.Environ(), func(pair string) bool { // the worker's own value must not stay if the arguments are too long
		return strings.HasPrefix(pair, "RESQUE_ARGS=")
	})
	vars = append(vars, "RESQUE_CLASS="+job.Class, "RESQUE_QUEUE="+job.Queue, "RESQUE_WORKER="+job.Worker)
	var args bytes.Buffer
	args.WriteByte('[')
	for i, arg := range job.Args {
		if i > 0 {
			args.WriteByte(',')
		}
		args.Write(arg)
	}
	args.WriteByte(']')
	if args.Len() <= longestArgs {
		vars = append(vars, "RESQUE_ARGS="+args.String())
	}
	return vars
}

// exit describes how a command ended.
type exit struct {
	Text         string // "pid 42 exit 1" or "pid 42 SIGTERM (signal 15)"
	OK, Signaled bool
}

func exitOf(ended *os.ProcessState) exit {
	text, signaled := proc.Status(ended)
	return exit{Text: text, OK: ended.Success(), Signaled: signaled}
}

// exitError is the error of a command that failed. It does not contain the command,
// which may have secrets: failures are stored and shown.
type exitError struct{ status, stderr string }

// Error returns the last line that the command wrote to standard error.
func (e *exitError) Error() string {
	lines := e.lines()
	if len(lines) == 0 {
		return fmt.Sprintf("the command ended with %s and wrote nothing to standard error", e.status)
	}
	return lines[len(lines)-1]
}

// ExceptionName returns the exception that the failure is recorded with.
func (e *exitError) ExceptionName() string { return "ExitError" }

// Backtrace returns the last lines that the command wrote to standard error.
func (e *exitError) Backtrace() []string {
	lines := e.lines()
	return append(lines[max(0, len(lines)-50):], "command: "+e.status)
}

func (e *exitError) lines() []string {
	var lines []string
	for line := range strings.Lines(strings.ToValidUTF8(e.stderr, "\uFFFD")) {
		if line = strings.TrimRight(line, " \t\r\n"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// tail passes on what is written to it and keeps the end.
type tail struct {
	to   interface{ Write(p []byte) (int, error) }
	kept []byte
}

const tailLength = 32 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailLength; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	_, _ = t.to.Write(p) // an error here must not fail the job
	return len(p), nil
}

func (t *tail) String() string { return string(t.kept) }
