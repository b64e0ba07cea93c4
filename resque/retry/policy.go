package retry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/resque"
)

// Forever is a Limit without an end.
const Forever = -1

// Policy retries the failed jobs of a class. It is a [resque.Setting]. The zero value
// retries a job once, without a wait, as the plugin does.
//
// Equal jobs of a class share their attempts, as in Ruby. A job that ends because its
// worker stops has not failed an attempt: it goes back to the front of its queue.
//
// Only, Never, Delay, ID and the hooks are called by many goroutines at once.
//
// Ruby: Resque::Plugins::Retry.
type Policy struct {
	// Limit is how often a job is retried, after its first attempt. Forever has no end.
	//
	// Defaults to the number of delays of Exponential or Delays, and otherwise to 1.
	//
	// Ruby: retry_limit.
	Limit int

	// Delay is how long a retry waits: Exponential, After, Delays or a DelayFunc.
	//
	// Defaults to no wait: the job goes to the end of its queue.
	//
	// Ruby: retry_delay, backoff_strategy.
	Delay Delay

	// Jitter lengthens each delay by a random part of it, at most by this factor: 0.1
	// adds up to 10 %. It is between 0 and 1.
	//
	// Ruby: retry_delay_multiplicand_max, less 1.
	Jitter float64

	// Only reports whether to retry after err. Never reports whether not to. Both are
	// called in the process that performs the job. If a job's worker dies, err is a
	// *resque.DeadWorkerError.
	//
	// Default to retrying after every error.
	//
	// Ruby: retry_exceptions, retry_criteria_check; fatal_exceptions.
	Only, Never func(err error) bool

	// Queue is the queue of the retries.
	//
	// Defaults to the queue in which the job was.
	//
	// Ruby: retry_queue, which defaults to the queue of the class.
	Queue string

	// Record selects the attempts that are recorded as failures and given to failure
	// backends.
	//
	// Defaults to EveryAttempt.
	Record Record

	// ID returns the text that distinguishes jobs of the class. White space in it is
	// ignored. Jobs with the same text share their attempts.
	//
	// Defaults to a digest of the arguments.
	//
	// Ruby: retry_identifier.
	ID func(job *resque.Payload) string

	// ExpireAfter is how long the number of attempts is kept after the next attempt is
	// due.
	//
	// Defaults to 7 days.
	//
	// Ruby: expire_retry_key_after, which defaults to no expiry.
	ExpireAfter time.Duration

	// OnRetry is called after a failed attempt, when the next one is in Redis. It is not
	// called if the process dies in between.
	//
	// Ruby: try_again_callback.
	OnRetry func(ctx context.Context, job *resque.Payload, a State)

	// OnGiveUp is called when a job has failed and is not retried, before the failure is
	// recorded. It is called twice if the process dies in between.
	//
	// Ruby: give_up_callback.
	OnGiveUp func(ctx context.Context, job *resque.Payload, a State)
}

// Record selects the failed attempts that are recorded.
type Record int

// The values of Record.
const (
	// EveryAttempt records each failed attempt, as Resque does with the plugin alone.
	EveryAttempt Record = iota
	// LastOnly records the attempt after which a job is not retried. Until then the
	// front end of the plugin shows the failure of the attempt before.
	//
	// Ruby: Resque::Failure::MultipleWithRetrySuppression.
	LastOnly
)

// State is the state of a job's attempts.
type State struct {
	// Attempt is the number of the attempt, 1 for the first. Other workers may have made
	// the attempts before. It is 0 for OnGiveUp if Redis was not asked, because the
	// error or Only, Never or Discard alone decided.
	Attempt int64

	// Limit is how many attempts there may be: one more than Policy.Limit. It is
	// Forever if there is no limit.
	Limit int64

	// Err is why the attempt failed. For [Attempt] it is nil.
	Err error

	// Due is when the next attempt is due, for OnRetry. It is the zero time if the next
	// attempt is in its queue.
	Due time.Time

	// LastError is the text of the error of the attempt before, for [Attempt]. It is
	// empty unless the policy has LastOnly and a delay.
	LastError string
}

const day = 24 * time.Hour

// Apply implements [resque.Setting]. It returns an error that names all mistakes.
func (p Policy) Apply(s *resque.Settings) error {
	if err := p.validate(); err != nil {
		return err
	}
	if p.Delay == nil {
		p.Delay = After(0)
	}
	p.Limit = cmp.Or(p.Limit, p.Delay.steps())
	p.ExpireAfter = cmp.Or(p.ExpireAfter, 7*day)
	if err := s.AddPolicy(end{&p}); err != nil {
		return err
	}
	return resque.Middleware(p.inContext).Apply(s)
}

var _ resque.Setting = Policy{}

func (p Policy) validate() error {
	var mistakes []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			mistakes = append(mistakes, fmt.Errorf("retry.Policy: "+format, args...))
		}
	}
	wrong(p.Limit < Forever, "Limit is %d; it must be more than 0, or retry.Forever", p.Limit)
	wrong(!(p.Jitter >= 0 && p.Jitter <= 1), "Jitter is %v; it must be between 0 and 1", p.Jitter)
	wrong(p.Record != EveryAttempt && p.Record != LastOnly, "Record is %d; it must be retry.EveryAttempt or retry.LastOnly", p.Record)
	wrong(p.ExpireAfter < 0, "ExpireAfter is %v; it must not be negative", p.ExpireAfter)
	wrong(!utf8.ValidString(p.Queue), "Queue %q is not valid UTF-8", p.Queue)
	if p.Delay != nil {
		if err := p.Delay.validate(); err != nil {
			wrong(true, "Delay: %v", err)
		}
	}
	return errors.Join(mistakes...)
}

// attempts is the Limit of a State.
func (p *Policy) attempts() int64 {
	if p.Limit == Forever {
		return Forever
	}
	return int64(p.Limit) + 1
}

var (
	_ policy.Policy   = end{}
	_ policy.Counting = end{}
)
