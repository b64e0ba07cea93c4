package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goresque/goresque/internal/store"
)

// Pusher is a policy that also takes part in the pushes of jobs. Classes without one are
// pushed without policies.
type Pusher interface {
	Policy

	// Push returns what is written when a job is pushed or delayed, in the same step and
	// before the job: see store.Pushing. A lock that another job holds refuses the job.
	// Of job, only Class, Queue, Args, Payload, Given and Store are set.
	Push(job *Job) ([]store.Effect, error)
}

// Pushes reports whether a policy takes part in pushes.
func (s Set) Pushes() bool {
	return slices.ContainsFunc(s, func(p Policy) bool { _, ok := p.(Pusher); return ok })
}

// Pushing returns the names of the policies that take part in a push, for error messages.
func (s Set) Pushing() string {
	var names []string
	for _, p := range s {
		if _, ok := p.(Pusher); ok {
			names = append(names, p.String())
		}
	}
	return strings.Join(names, " and ")
}

// Push returns what the policies write when a job is pushed.
func (s Set) Push(job *Job) (effects []store.Effect, err error) {
	for _, p := range s {
		pusher, ok := p.(Pusher)
		if !ok {
			continue
		}
		var some []store.Effect
		wrong := recovered(func() { some, err = pusher.Push(job) })
		if err = cmp.Or(wrong, err); err != nil {
			return nil, fmt.Errorf("%v: %w", p, err)
		}
		effects = append(effects, some...)
	}
	return effects, nil
}

// Locker is a policy whose jobs hold locks while they are queued or delayed.
type Locker interface {
	Policy

	// Locks returns the locks that a job holds while it waits. RunLocks returns those that
	// it takes when it is performed.
	Locks(job *Job) []store.RubyLock
	RunLocks(job *Job) []store.RubyLock
}

// Locking reports whether jobs of the class have locks.
func (s Set) Locking() bool {
	return slices.ContainsFunc(s, func(p Policy) bool { _, ok := p.(Locker); return ok })
}

// RunLocks returns the locks that a job takes when it is performed.
func (s Set) RunLocks(job *Job) (all []store.RubyLock) {
	for _, p := range s {
		if l, ok := p.(Locker); ok {
			all = append(all, l.RunLocks(job)...)
		}
	}
	return all
}

// Locks returns the locks that a job holds while it is queued or delayed.
func (s Set) Locks(job *Job) (all []store.RubyLock) {
	for _, p := range s {
		if l, ok := p.(Locker); ok {
			all = append(all, l.Locks(job)...)
		}
	}
	return all
}

// Renewer is a policy whose jobs each have an id among their arguments, so that a
// job that is enqueued again and again needs a new one each time.
type Renewer interface {
	Policy

	// Renewed returns the arguments with a new id, also if they had none.
	Renewed(args []any) []any
}

// Renewer returns the policy that renews jobs. ok is false if there is none.
func (s Set) Renewer() (r Renewer, ok bool) {
	for _, p := range s {
		if r, ok = p.(Renewer); ok {
			return r, true
		}
	}
	return nil, false
}
