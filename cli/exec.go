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

// execRoutes gives mux the classes that commands perform.
func execRoutes(mux *resque.Mux, pairs []string, termTimeout time.Duration, env *Env) error {
	for _, pair := range pairs {
		class, command, ok := strings.Cut(pair, "=")
		class = strings.TrimSpace(class)
		if !ok || class == "" || strings.TrimSpace(command) == "" {
			return UsageErrorf("--exec %q: want CLASS=COMMAND, such as --exec 'Thumbnail=./thumbnail.sh'", pair)
		}
		if _, taken := mux.Route(class); taken {
			return UsageErrorf("--exec %q: class %s has a handler already", pair, class)
		}
		if mux.Wraps(class) {
			return UsageErrorf("--exec %q: %s has jobs of other classes inside, which this command performs: name one of those", pair, class)
		}
		c := &shellJob{command: command, termTimeout: termTimeout, env: env}
		mux.HandleFunc(class, c.perform)
	}
	return nil
}

// shellJob performs jobs by a shell command, in any language: the payload is on
// its standard input, exit status 0 is success, and otherwise the last line of
// its standard error says what went wrong.
type shellJob struct {
	command     string
	termTimeout time.Duration
	env         *Env
}

// longestArgs is the longest RESQUE_ARGS: an environment has limits. Standard
// input has the arguments, too.
const longestArgs = 64 << 10

// perform runs the command under a supervisor, see superviseCommand. When ctx
// ends the command gets TERM and, after the term timeout, KILL.
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

// ended is the error of a command that has ended.
func (s *shellJob) ended(ctx context.Context, p *supervised, killed bool) error {
	switch {
	case p.how.OK:
		return nil
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), resque.ErrTerm):
		return context.Cause(ctx) // its time was over
	case killed, ctx.Err() == nil && p.how.Signaled:
		return &resque.DirtyExitError{Message: "Child process received unhandled signal " + p.how.Text}
	case ctx.Err() != nil:
		return fmt.Errorf("%w", resque.ErrTerm)
	}
	return &exitError{status: p.how.Text, stderr: p.stderr.String()}
}

func (s *shellJob) environ(job *resque.Payload) []string {
	vars := slices.DeleteFunc(os.Environ(), func(pair string) bool { // it would stay where the arguments are too long
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

// exit is how a command ended.
type exit struct {
	Text         string // "pid 42 exit 1" or "pid 42 SIGTERM (signal 15)"
	OK, Signaled bool
}

func exitOf(ended *os.ProcessState) exit {
	text, signaled := proc.Status(ended)
	return exit{Text: text, OK: ended.Success(), Signaled: signaled}
}

// exitError is the error of a command that went wrong.
// It does not have the command itself, which may hold secrets: a failure is stored
// and shown.
type exitError struct{ status, stderr string }

// Error is the last line that the command wrote to its standard error.
func (e *exitError) Error() string {
	lines := e.lines()
	if len(lines) == 0 {
		return fmt.Sprintf("the command ended with %s and wrote nothing to standard error", e.status)
	}
	return lines[len(lines)-1]
}

// ExceptionName is what the failure is recorded under.
func (e *exitError) ExceptionName() string { return "ExitError" }

// Backtrace is the end of what the command wrote to its standard error.
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

// tail keeps the end of what is written to it and hands all of it on.
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
	_, _ = t.to.Write(p) // the job does not fail over who reads along
	return len(p), nil
}

func (t *tail) String() string { return string(t.kept) }
