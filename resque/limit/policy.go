package limit

import (
	"context"
	"crypto/sha1" //nolint:gosec // it shortens a name
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// Policy limits the jobs of a class, or those with the same key, among all Go workers. It is
// a [resque.Setting]. At least one of Concurrency and Rate must be set.
//
//	limit.Policy{Concurrency: 1, By: limit.Arg(1)} // one job per customer at a time
//
// A worker asks for a place after it has taken a job. If there is none, the job is not
// counted and is delayed: until the rate allows it, or for 5 to 15 seconds. When a place is
// freed, the first job that waits goes back to the front of its queue at once. So a
// scheduler must run. Jobs with the same key are performed nearly in order, not strictly.
// The limit of a queue, see [Set], costs less and keeps the order: prefer it if it suffices.
//
// A job has its place as long as it is in the record of its worker, so that a place is freed
// with the end of the job, whatever the end is.
type Policy struct {
	// Concurrency is how many of the jobs run at once.
	//
	// Defaults to 0, which means no limit.
	Concurrency int64

	// Rate is how many of the jobs start in a period, and Burst how many may start at once:
	// see [Queue].
	Rate  Rate
	Burst int64

	// By returns the key of a job: Arg or a KeyFunc. Each key has its own limit.
	//
	// Defaults to nil: one limit for all jobs of the class.
	By Key
}

// Key is what distinguishes the jobs of a class: Arg or a KeyFunc.
type Key interface {
	of(job *policy.Job) string
	validate() error
}

// Arg makes the key of a job from its n-th argument, counted from 1. Jobs without the
// argument share a limit.
func Arg(n int) Key { return argument(n) }

type argument int

func (n argument) of(job *policy.Job) string {
	if int(n) > len(job.Args) {
		return ""
	}
	return string(job.Args[n-1])
}

func (n argument) validate() error {
	if n < 1 {
		return fmt.Errorf("Arg(%d): arguments are counted from 1", int(n))
	}
	return nil
}

// KeyFunc returns the key of a job. Many goroutines call it at once. A job for which it
// panics fails.
type KeyFunc func(job *resque.Payload) string

func (f KeyFunc) of(job *policy.Job) string {
	given, _ := job.Given.(*resque.Payload)
	return f(given)
}

func (f KeyFunc) validate() error {
	if f == nil {
		return errors.New("nil limit.KeyFunc in By")
	}
	return nil
}

// Apply implements [resque.Setting]. It returns an error that names all mistakes.
func (p Policy) Apply(s *resque.Settings) error {
	err := Queue{Concurrency: p.Concurrency, Rate: p.Rate, Burst: p.Burst}.validate("a limit of 0 is not possible")
	if p.By != nil {
		err = errors.Join(err, p.By.validate())
	}
	if err != nil {
		return fmt.Errorf("limit.Policy: %w", err)
	}
	return s.AddPolicy(&applied{Policy: p, checked: map[string]time.Time{}})
}

var _ resque.Setting = Policy{}

// Wait returns an error that wraps err. A handler returns it if a server has answered that
// there were too many requests. The job has not failed: it is performed again after d. Until
// then its limit starts no other jobs: those with the same key, or all of the class. The
// class must have a Policy, otherwise the job fails with err. Wait returns nil if err is nil.
func Wait(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &waitError{err, max(d, 0)}
}

type waitError struct {
	error
	d time.Duration
}

func (e *waitError) Unwrap() error { return e.error }

// applied applies a policy to the life of a job.
type applied struct {
	Policy

	mu      sync.Mutex
	checked map[string]time.Time // when the places of a limit were last checked
}

var _ policy.Admitter = &applied{}

// Place implements policy.Policy.
func (*applied) Place() policy.Place { return policy.Limit }

// String implements policy.Policy.
func (*applied) String() string { return "limit.Policy" }

// Interrupted implements policy.Policy.
func (*applied) Interrupted() bool { return false }

// Judge implements policy.Policy.
func (*applied) Judge(_ []byte, err error, v *policy.Verdict) {
	var w *waitError
	if errors.As(err, &w) {
		v.Snooze, v.Pause, v.Wait = true, true, &w.d
	}
}

// Admit implements policy.Admitter.
func (p *applied) Admit(job *policy.Job) []store.Need {
	return []store.Need{job.Store.Hold(p.limit(job))}
}

// End implements policy.Policy.
func (p *applied) End(job *policy.Job, e *policy.Ending) {
	l := p.limit(job)
	got := job.Got(policy.Limit)
	if e.Kind == policy.Refused && len(got) == 1 && got[0].State == store.NeedRefused {
		p.putOff(job, e, l, got[0].Value)
		return
	}
	e.Effects = append(e.Effects, job.Store.Free(l, job.Worker))
	if e.Kind == policy.Snoozed && e.Verdict.Pause {
		e.Effects = append(e.Effects, job.Store.PauseLimit(l.Name, *e.Verdict.Wait))
	}
}

// putOff delays a job that got no place. text is after how many microseconds there is one,
// -1 if a job must end first.
func (p *applied) putOff(job *policy.Job, e *policy.Ending, l store.KeyLimit, text string) {
	e.Notes = append(e.Notes, "limit", l.Name)
	wait, _ := strconv.ParseInt(text, 10, 64)
	if wait >= 0 {
		due := job.Now().Add(time.Duration(wait) * time.Microsecond)
		e.Again = &policy.Again{Queue: job.Queue, Payload: job.Payload, Due: due.Add(time.Second - time.Nanosecond).Truncate(time.Second)}
		return
	}
	wait = int64(5*time.Second) + rand.Int64N(int64(10*time.Second)) //nolint:gosec // need not be unpredictable
	due := job.Now().Add(time.Duration(wait)).Truncate(time.Second)
	e.Again = &policy.Again{Queue: job.Queue, Payload: job.Payload, Due: due, Put: job.Store.Park(l, due, job.Queue, job.Payload)}
	if p.mayCheck(l.Name) {
		e.After = func(ctx context.Context) { freeDead(ctx, job.Store, l.Name) }
	}
}

// checkInterval is how often a process checks who holds the places of a limit that gave
// none.
const checkInterval = 5 * time.Second

// mayCheck reports whether the places of a limit were not checked in the last interval.
func (p *applied) mayCheck(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.checked[name]) < checkInterval {
		return false
	}
	if len(p.checked) > 1000 {
		clear(p.checked)
	}
	p.checked[name] = now
	return true
}

// freeDead frees the places that are held for jobs which no longer run. If that fails, the
// next job that gets no place tries again.
func freeDead(ctx context.Context, to *store.Store, name string) {
	ctx, cancel := context.WithTimeout(ctx, checkInterval)
	defer cancel()
	_, _ = to.FreeDeadHeld(ctx, name)
}

// limit returns the limit of a job.
func (p *applied) limit(job *policy.Job) store.KeyLimit {
	return store.KeyLimit{Name: p.name(job), Limit: limitOf(p.Concurrency, p.Rate, p.Burst)}
}

// classPrefix is what the names of limits begin with in Redis, which are not of queues.
const classPrefix = "c:"

// longestName is how long the key of a job may be in the name of a limit. Of a longer one
// the name has a digest.
const longestName = 100

func (p *applied) name(job *policy.Job) string {
	name := classPrefix + job.Class
	if p.By == nil || resque.IsEncrypted(job.Args) { // equal arguments are encrypted differently each time
		return name
	}
	key := p.By.of(job)
	if len(key) > longestName {
		sum := sha1.Sum([]byte(key)) //nolint:gosec // see the import
		key = "#" + hex.EncodeToString(sum[:])
	}
	return name + ":" + key
}
