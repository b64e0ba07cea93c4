package retry

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Delay is how long retries wait. [Exponential] is one. [After], [Delays] and a
// [DelayFunc] return others.
type Delay interface {
	// wait returns the wait after an attempt, counted from 0, that failed with err.
	wait(attempt int64, err error) time.Duration
	// steps is the limit of a policy that has none.
	steps() int
	validate() error
}

type exponential int

// Exponential makes the retries wait for 0, 1 minute, 10 minutes, 1 hour, 3 hours and 6
// hours, and then for 6 hours each. With it, Policy.Limit defaults to 6.
//
// Ruby: Resque::Plugins::ExponentialBackoff.
const Exponential exponential = 0

func (exponential) delays() list {
	return list{0, time.Minute, 10 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour}
}

func (e exponential) wait(attempt int64, err error) time.Duration {
	return e.delays().wait(attempt, err)
}
func (e exponential) steps() int    { return len(e.delays()) }
func (exponential) validate() error { return nil }

// After makes each retry wait for d.
func After(d time.Duration) Delay { return Delays(d) }

// Delays makes the first retry wait for the first of ds, and so on. The last one is
// repeated. With it, Policy.Limit defaults to the number of delays.
//
// Ruby: an array in retry_exceptions, or backoff_strategy.
func Delays(ds ...time.Duration) Delay { return append(list(nil), ds...) }

type list []time.Duration

func (l list) wait(attempt int64, _ error) time.Duration { return l[min(attempt, int64(len(l)-1))] }
func (l list) steps() int                                { return len(l) }

func (l list) validate() error {
	if len(l) == 0 {
		return errors.New("retry.Delays without delays")
	}
	for _, d := range l {
		if d < 0 {
			return fmt.Errorf("%v is negative", d)
		}
	}
	return nil
}

// DelayFunc returns how long the next attempt waits after an attempt that failed with
// err. attempt is 0 for the first. If a child process performed the job, err has only
// what the child reported: its text and its ExceptionName.
type DelayFunc func(attempt int, err error) time.Duration

func (f DelayFunc) wait(attempt int64, err error) time.Duration { return f(int(attempt), err) }
func (DelayFunc) steps() int                                    { return 1 }

func (f DelayFunc) validate() error {
	if f == nil {
		return errors.New("nil retry.DelayFunc")
	}
	return nil
}

// longest is the longest wait. It keeps times in the years that have four digits.
const longest = 100 * 365 * day

// delay returns the wait after an attempt, with jitter.
func (p *Policy) delay(attempt int64, err error) time.Duration {
	d := min(max(p.Delay.wait(attempt, err), 0), longest)
	return d + time.Duration(p.Jitter*rand.Float64()*float64(d)) //nolint:gosec // need not be unpredictable
}
