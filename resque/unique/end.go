package unique

import (
	"slices"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
)

// end applies a policy to the pushes and the ends of jobs.
type end struct {
	Policy

	fields []*fields // of each argument, if they are known
}

// admitted is a policy whose jobs take or free a lock when they begin.
type admitted struct{ *end }

var (
	_ policy.Pusher   = (*end)(nil)
	_ policy.Locker   = (*end)(nil)
	_ policy.Admitter = admitted{}
)

// Place implements policy.Policy.
func (*end) Place() policy.Place { return policy.Unique }

// String implements policy.Policy.
func (*end) String() string { return "unique.Policy" }

// Interrupted implements policy.Policy.
func (*end) Interrupted() bool { return false }

// Judge implements policy.Policy.
func (*end) Judge([]byte, error, *policy.Verdict) {}

// freesAtBegin reports whether the lock of a queued job is freed when the job begins.
func (e *end) freesAtBegin() bool {
	switch e.Style {
	case LockTimeoutLoner, Uniqueness:
		return true
	case Loner:
		return e.Until != Done
	case ResqueLock, LockTimeout, UniquenessWhile:
	}
	return e.Until == Begun
}

// locksPerformed reports whether a job takes a lock when it begins.
func (e *end) locksPerformed() bool {
	switch e.Style {
	case LockTimeout, LockTimeoutLoner, UniquenessWhile:
		return true
	case Uniqueness:
		return e.Until == Done
	case ResqueLock, Loner:
	}
	return false
}

func (e *end) needs() bool { return e.freesAtBegin() || e.locksPerformed() }

// Push implements policy.Pusher.
//
// Ruby: the before_enqueue hooks of the plugins.
func (e *end) Push(job *policy.Job) ([]store.Effect, error) {
	l, err := e.locks(job)
	if err != nil || l.queued.Key == "" {
		return nil, err
	}
	effects := l.queued.Taken()
	if e.Style == LockTimeoutLoner {
		effects = slices.Insert(effects, 0, l.performed.Unheld())
	}
	return effects, nil
}

// Admit implements policy.Admitter.
//
// Ruby: the around_perform hooks of the plugins, and the pop of resque-loner and
// resque-uniqueness.
func (a admitted) Admit(job *policy.Job) (needs []store.Need) {
	l, err := a.locks(job)
	if err != nil {
		return nil // it was pushed without locks
	}
	if l.performed.Key != "" {
		needs = append(needs, l.performed.Held(job.Token))
	}
	if l.queued.Key != "" && a.freesAtBegin() {
		needs = append(needs, l.queued.FreedAtBegin())
	}
	return needs
}

// Locks implements policy.Locker.
func (e *end) Locks(job *policy.Job) []store.RubyLock {
	l, err := e.locks(job)
	if err != nil || l.queued.Key == "" {
		return nil
	}
	return []store.RubyLock{l.queued}
}

// RunLocks implements policy.Locker.
func (e *end) RunLocks(job *policy.Job) []store.RubyLock {
	l, err := e.locks(job)
	if err != nil || l.performed.Key == "" {
		return nil
	}
	return []store.RubyLock{l.performed}
}

// clockSkew is how much the clocks of workers may differ from that of Redis. clockDrift is
// how much a clock may be ahead, after a second and a hundredth of the measured time.
const (
	clockSkew  = time.Minute
	clockDrift = time.Second
)

// age returns how long ago the job began, or less: a job must free its lock. That the lock
// has expired just after the job began, and was taken by another job, is less likely.
func (e *end) age(job *policy.Job, kind policy.Kind) time.Duration {
	age := job.Age - job.Age/100 - clockDrift
	if kind == policy.Crashed && !e.freesAtBegin() {
		age -= clockSkew // it was measured by the clock of the worker that died
	}
	return max(age, 0)
}

// End implements policy.Policy. A job that is performed again keeps its lock.
func (e *end) End(job *policy.Job, ending *policy.Ending) {
	l, err := e.locks(job)
	if err != nil {
		ending.Notes = append(ending.Notes, "unlocked", err)
		return
	}
	if ending.Kind == policy.Refused && refused(job) {
		if e.OnBusy == Later {
			ending.Again = job.Again(job.Queue, job.Payload, e.Wait)
		} else {
			ending.Counted = true
		}
	}
	if l.performed.Key != "" && job.Counted { // a Ruby worker died, whose lock has no token. Ruby: on_failure_lock
		ending.Effects = append(ending.Effects, l.performed.Freed(e.age(job, ending.Kind)))
	} else if l.performed.Key != "" && job.Token != "" {
		ending.Effects = append(ending.Effects, l.performed.Dropped(job.Token))
	}
	if l.queued.Key == "" {
		return
	}
	age := e.age(job, ending.Kind)
	switch {
	case ending.Again != nil:
		ending.Effects = append(ending.Effects, l.queued.Kept(age, ending.Again.Due))
	case ending.Kind == policy.Returned:
		ending.Effects = append(ending.Effects, l.queued.Kept(age, time.Time{}))
	default:
		ending.Effects = append(ending.Effects, l.queued.Freed(age))
	}
}

// refused reports whether a lock of this package was refused.
func refused(job *policy.Job) bool {
	return slices.ContainsFunc(job.Got(policy.Unique), func(g store.Got) bool { return g.State == store.NeedRefused })
}
