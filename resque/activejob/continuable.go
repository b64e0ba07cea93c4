package activejob

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
	"unicode/utf8"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/resque"
)

// Continuable is a setting of a class whose jobs have steps: see [Step]. The zero value works
// as Rails' defaults. The progress of a job is in its payload, where Rails 8.1 has it, so that
// a job can begin in Ruby and go on in Go, or the other way round.
//
// If the worker stops, the job is enqueued again with its progress, as in Rails. It has not
// failed, is counted as processed, and no failure hook is called. The same happens if the job
// fails after it has completed a step or changed a cursor. If it fails before that, the other
// settings of the class decide, such as [Retry]; a retried attempt also has the progress. If
// the worker is killed, the progress of the attempt is lost, as in Rails.
//
// Wait is called by many goroutines at once.
//
// Ruby: ActiveJob::Continuable.
type Continuable struct {
	// MaxResumptions is how often a job may go on after it was interrupted or has failed. One
	// more time fails it, with a [*ResumeLimitError]. Defaults to no limit.
	//
	// Ruby: max_resumptions.
	MaxResumptions int

	// Wait returns how long to wait before the job goes on for the nth time. A job that waits
	// is a delayed job: a scheduler must run. With [NoWait] the job goes to the end of its
	// queue. Defaults to 5 seconds, as in Rails.
	//
	// Ruby: resume_options, wait.
	Wait func(n int) time.Duration

	// Queue and Priority are those of the next attempt. Each defaults to that of the current
	// attempt.
	//
	// Ruby: resume_options.
	Queue    string
	Priority *int

	// NotErrors means that a job that fails after progress is treated as every other job that
	// fails.
	//
	// Ruby: resume_errors_after_advancing = false.
	NotErrors bool
}

var _ resque.Setting = Continuable{}

// Apply implements [resque.Setting].
func (c Continuable) Apply(s *resque.Settings) error {
	var mistakes []error
	if c.MaxResumptions < 0 {
		mistakes = append(mistakes, fmt.Errorf("activejob.Continuable: MaxResumptions is %d; it must not be negative", c.MaxResumptions))
	}
	if !utf8.ValidString(c.Queue) {
		mistakes = append(mistakes, fmt.Errorf("activejob.Continuable: Queue %q is not valid UTF-8", c.Queue))
	}
	if err := errors.Join(mistakes...); err != nil {
		return err
	}
	if c.Wait == nil {
		c.Wait = func(int) time.Duration { return 5 * time.Second }
	}
	if err := s.AddPolicy(continues{&c}); err != nil {
		return err
	}
	return resque.Middleware(c.inContext).Apply(s)
}

// ResumeLimitError is the error of a job that was resumed as often as its class allows.
//
// Ruby: ActiveJob::Continuation::ResumeLimitError.
type ResumeLimitError struct {
	Max int
	Err error // why the job was to be resumed again
}

func (e *ResumeLimitError) Error() string {
	return fmt.Sprintf("Job was resumed a maximum of %d times", e.Max)
}

func (e *ResumeLimitError) Unwrap() error { return e.Err }

// ExceptionName returns the class of this error in Ruby.
func (e *ResumeLimitError) ExceptionName() string {
	return "ActiveJob::Continuation::ResumeLimitError"
}

// progress is how far a job has come when it ends with an error.
type progress struct {
	Continuation []byte // not json.RawMessage, which json.Marshal would spell in another way
	Resumptions  int
	Counted      string `json:",omitempty"` // the key in exception_executions, if Resume is set
	Resume       bool   `json:",omitempty"` // the job goes on later
}

// progressOf returns the progress in a verdict, or nil.
func progressOf(v policy.Verdict) *progress {
	var p *progress
	if len(v.Progress) == 0 || json.Unmarshal(v.Progress, &p) != nil {
		return nil
	}
	return p
}

// progressError is the error of a job with its progress.
type progressError struct {
	error
	progress progress
}

func (e *progressError) Unwrap() error { return e.error }

type continuationKey struct{}

// inContext is middleware that gives Step the progress of the job, and adds it to the error.
func (c Continuable) inContext(next resque.Handler) resque.Handler {
	return resque.HandlerFunc(func(ctx context.Context, job *resque.Payload) error {
		r := readContinuation(job)
		err := recovered(func() error { return next.Perform(context.WithValue(ctx, continuationKey{}, r), job) })
		if err == nil && r.interrupted != nil { // the handler has dropped the error
			err = r.interrupted
		}
		if err == nil || r.plain || r.unreadable != nil {
			return err
		}
		return c.ended(ctx, r, err)
	})
}

func recovered(fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &resque.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return fn()
}

// ended returns the error of a job with its progress.
//
// Ruby: ActiveJob::Continuable#continue.
func (c Continuable) ended(ctx context.Context, r *continuation, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		var late *resque.TimeoutError
		switch {
		case r.moved && stops(ctx):
			err = &InterruptError{r.at()}
		case errors.As(context.Cause(ctx), &late):
			err = late
		default:
			return err
		}
	}
	p := progress{Continuation: r.text(), Resumptions: r.resumptions}
	var interrupted *InterruptError
	var wrong *StepError
	switch {
	case errors.Is(err, resque.ErrTerm), errors.Is(err, resque.ErrDontPerform), errors.As(err, &wrong):
	case errors.As(err, &interrupted):
		p.Counted, p.Resume = interrupted.Error(), true
	case r.moved && !c.NotErrors && !isEnded(ctx):
		p.Counted, p.Resume = exceptionHash(err), true
	}
	if p.Resume && c.MaxResumptions > 0 && r.resumptions >= c.MaxResumptions {
		p.Counted, p.Resume = "", false
		err = &ResumeLimitError{c.MaxResumptions, err}
	}
	return &progressError{err, p}
}

// isEnded reports whether the job was canceled or killed, so that it must not go on.
func isEnded(ctx context.Context) bool {
	var late *resque.TimeoutError
	return ctx.Err() != nil && !stops(ctx) && !errors.As(context.Cause(ctx), &late)
}

// exceptionHash returns the key under which Rails counts an error after progress: Ruby's text
// of a hash, in Ruby 3.3 and older.
func exceptionHash(err error) string {
	return "{:exception=>#<" + resque.ExceptionName(err) + ": " + err.Error() + ">}"
}

// stops reports whether the worker stops. A child process learns of that when the context
// ends.
func stops(ctx context.Context) bool {
	stopping := resque.Stopping(ctx)
	select {
	case <-stopping:
		return true
	default:
		return stopping == nil && context.Cause(ctx) == resque.ErrTerm //nolint:errorlint // ErrLost is also an ErrTerm
	}
}

// continues is the policy of a class with the setting.
type continues struct{ *Continuable }

var _ policy.Policy = continues{}

// Place implements policy.Policy.
func (continues) Place() policy.Place { return policy.Resume }

// Interrupted implements policy.Policy.
func (continues) Interrupted() bool { return true }

func (continues) String() string { return "activejob.Continuable" }

// Judge implements policy.Policy.
func (continues) Judge(_ []byte, err error, v *policy.Verdict) {
	var ended *progressError
	if !errors.As(err, &ended) {
		return
	}
	p := ended.progress
	if v.Final || v.Handled {
		p.Resume = false
	}
	text, err := json.Marshal(p)
	if err != nil { // not expected: the continuation is valid JSON
		return
	}
	v.Progress = text
	if p.Resume {
		var interrupted *InterruptError
		v.Handled, v.Interrupted = true, errors.As(ended, &interrupted)
	}
}

// End implements policy.Policy.
//
// Ruby: ActiveJob::Continuable#resume_job.
func (c continues) End(job *policy.Job, e *policy.Ending) {
	p := progressOf(e.Verdict)
	if e.Kind != policy.Failed || p == nil || !p.Resume {
		return
	}
	n := p.Resumptions + 1
	wait := min(max(c.Wait(n), 0), longest)
	if given := e.Verdict.Wait; given != nil {
		wait = min(max(*given, 0), longest)
	}
	now := time.Now()
	if wait > 0 {
		now = job.Now()
	}
	payload, err := advance{p.Counted, now, wait, c.Queue, c.Priority, p}.next(job.Payload)
	if err != nil { // not expected: the middleware has read the payload
		e.Verdict.Handled = false
		e.Notes = append(e.Notes, "resume", err.Error())
		return
	}
	data, _ := DataOf(&resque.Payload{Raw: job.Payload})
	e.Fail = false
	e.Notes = append(e.Notes, "resumption", n)
	e.Again = &policy.Again{Queue: cmp.Or(c.Queue, data.Queue, job.Queue), Payload: payload, Due: policy.DueAfter(now, wait)}
}
