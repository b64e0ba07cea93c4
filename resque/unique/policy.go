package unique

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/goresque/goresque/resque"
)

// Policy keeps equal jobs of a class from being queued or performed twice. It is a
// [resque.Setting]. The zero value does what the plugin resque-lock does: a job that is
// waiting, delayed or being performed refuses equal ones for at most an hour.
//
// A refused job is not an error: its receipt has the state [resque.Duplicate].
//
// Ruby: Resque::Plugins::Lock, and the plugins that the styles name.
type Policy struct {
	// For is how long a lock lives, at least a second. Keep it longer than a job waits in
	// its queue and is performed: after that an equal job can be queued. The time until a
	// delayed job is due is added.
	//
	// Defaults to an hour, and to 48 hours for the styles of resque-uniqueness.
	//
	// Ruby: lock_timeout, loner_ttl, ttl. Without them, Ruby's locks do not expire.
	For time.Duration

	// Until is when the lock of a queued job is freed: when the job has ended, or when it
	// begins.
	//
	// Defaults to what the plugin of the style does.
	Until Until

	// Style selects the plugin whose keys are used.
	//
	// Defaults to ResqueLock.
	Style Style

	// By selects the arguments by which jobs are equal; see Args. The fields of an argument
	// that is a struct can be selected with the tag resque:"unique".
	//
	// Defaults to all arguments.
	//
	// Ruby: the methods lock, identifier, redis_key and unique_args of a class.
	By By

	// OnBusy is what happens to a job that is about to be performed while an equal one is.
	// It matters for styles that lock performed jobs.
	//
	// Defaults to Later.
	OnBusy OnBusy

	// Wait is how long a job waits with Later. Jobs that wait are delayed jobs, so a
	// scheduler must run.
	//
	// Defaults to 10 seconds.
	Wait time.Duration
}

// Style is a plugin of Ruby whose keys a policy uses.
type Style int

// The styles.
const (
	// ResqueLock refuses a job while an equal one is queued, delayed or performed.
	ResqueLock Style = iota

	// Loner refuses a job while an equal one is in the same queue or delayed.
	//
	// Ruby: resque-loner.
	Loner

	// LockTimeout lets one of several equal jobs be performed at a time.
	//
	// Ruby: resque-lock-timeout.
	LockTimeout

	// LockTimeoutLoner does what LockTimeout does, and refuses a job while an equal one is
	// queued, delayed or performed.
	//
	// Ruby: resque-lock-timeout with @loner.
	LockTimeoutLoner

	// Uniqueness refuses a job while an equal one is queued or delayed. With Until: Done,
	// it also lets only one of several equal jobs be performed at a time, and a job can be
	// queued while an equal one is performed.
	//
	// Ruby: until_executing and until_and_while_executing of resque-uniqueness.
	Uniqueness

	// UniquenessWhile lets one of several equal jobs be performed at a time.
	//
	// Ruby: while_executing of resque-uniqueness.
	UniquenessWhile
)

// Until is when the lock of a queued job is freed.
type Until int

// The values of Until.
const (
	AsPlugin Until = iota // as the plugin of the style does
	Begun                 // when the job begins
	Done                  // when the job has ended, or has failed and is not retried
)

// OnBusy is what happens to a job while an equal one is performed.
type OnBusy int

// The values of OnBusy.
const (
	Later OnBusy = iota // it is performed later
	Drop                // it is dropped and counts as processed. Ruby: resque-lock-timeout
)

// Apply implements [resque.Setting]. It returns an error that names all mistakes.
func (p Policy) Apply(s *resque.Settings) error {
	e, err := p.withDefaults(s.Arguments())
	if err != nil {
		return err
	}
	if e.needs() {
		return s.AddPolicy(admitted{e})
	}
	return s.AddPolicy(e)
}

var _ resque.Setting = Policy{}

const maxFor = 10 * 365 * 24 * time.Hour

func (p Policy) withDefaults(args []resque.Argument, known bool) (*end, error) {
	e := &end{Policy: p}
	e.For = cmp.Or(p.For, time.Hour)
	if p.For == 0 && (p.Style == Uniqueness || p.Style == UniquenessWhile) {
		e.For = 48 * time.Hour
	}
	e.Wait = cmp.Or(p.Wait, 10*time.Second)
	var mistakes []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			mistakes = append(mistakes, fmt.Errorf("unique.Policy: "+format, args...))
		}
	}
	wrong(e.For < time.Second || e.For > maxFor, "For is %v; it must be at least 1s, and at most 10 years", p.For)
	wrong(e.Wait < time.Second || e.Wait > maxFor, "Wait is %v; it must be at least 1s, and at most 10 years", p.Wait)
	wrong(p.Style < ResqueLock || p.Style > UniquenessWhile, "Style is %d; it must be one of the package's styles", p.Style)
	wrong(p.Until < AsPlugin || p.Until > Done, "Until is %d; it must be unique.Begun or unique.Done", p.Until)
	wrong(p.OnBusy < Later || p.OnBusy > Drop, "OnBusy is %d; it must be unique.Later or unique.Drop", p.OnBusy)
	if p.Until != AsPlugin {
		wrong(p.Style == LockTimeout || p.Style == LockTimeoutLoner || p.Style == UniquenessWhile,
			"Until cannot be set with a style that locks performed jobs")
	}
	for _, n := range p.By {
		wrong(n < 1, "By has argument %d; arguments are counted from 1", n)
		wrong(known && n > len(args), "By has argument %d; the class has %d", n, len(args))
	}
	e.fields = make([]*fields, len(args))
	for i, arg := range args {
		e.fields[i] = fieldsOf(arg.Type)
	}
	return e, errors.Join(mistakes...)
}
