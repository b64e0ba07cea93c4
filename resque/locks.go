package resque

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
)

// locks finds the locks of jobs that are removed or restored: by the policies of their
// classes or, if derive is set, for other classes by the keys that Ruby's plugins would use.
type locks struct {
	store  *store.Store
	jobs   Handler
	derive bool

	freed  int  // removed jobs whose locks were freed
	looked bool // whether present was called since
}

func (c *Client) locks() locks { return locks{store: c.store, jobs: c.jobs, derive: c.jobs != nil} }

// any reports whether there may be jobs with locks.
func (l locks) any() bool { return l.jobs != nil && (l.derive || l.known()) }

// known reports whether there are classes whose policies take locks.
func (l locks) known() bool {
	if mux, ok := l.jobs.(*Mux); ok {
		return mux.locking()
	}
	return l.jobs != nil
}

// lockParts is in how many parts present looks for locks.
const lockParts = 20

// present unsets derive if there are no locks in Redis. To look for those of each of many
// removed jobs would take as long as the removal.
func (l *locks) present(ctx context.Context) error {
	if !l.derive || l.looked {
		return nil
	}
	keys, more, err := l.store.ScanLocks(ctx, lockParts)
	if err != nil {
		return wrapped(err)
	}
	l.looked, l.derive = true, more || len(keys) > 0
	return nil
}

// jobOf returns the job of a payload, and the policies of its class. job is nil if the
// payload has no class.
func (l locks) jobOf(queue string, payload []byte) (job *policy.Job, policies policy.Set) {
	given, err := ParsePayload(queue, payload)
	if err == nil {
		given, err = Unwrap(l.jobs, given)
	}
	if err != nil {
		return nil, nil
	}
	job = &policy.Job{Class: given.Class, Queue: queue, Args: given.Args, Payload: payload, Given: given, Store: l.store}
	return job, PoliciesOf(l.jobs, given.Class)
}

// of returns the locks that jobs of a queue hold while they are there, or may hold.
func (l locks) of(queue string, payloads ...[]byte) (all []store.RubyLock) {
	for _, payload := range payloads {
		some, _ := l.ofOne(queue, payload)
		all = append(all, some...)
	}
	return all
}

// ofOne is of for one job. derived reports whether the locks are those that Ruby's plugins
// would use, because the class has no policy that takes locks.
func (l locks) ofOne(queue string, payload []byte) (all []store.RubyLock, derived bool) {
	if l.jobs == nil {
		return nil, false
	}
	job, policies := l.jobOf(queue, payload)
	switch {
	case job == nil:
	case policies.Locking():
		return policies.Locks(job), false
	case l.derive && !IsEncrypted(job.Args):
		all, _ = policy.RubyLocks(job)
		return all, true
	}
	return nil, false
}

// free frees the locks of jobs that were removed.
func (l *locks) free(ctx context.Context, queue string, payloads ...[]byte) error {
	if err := l.removing(ctx, len(payloads)); err != nil {
		return err
	}
	all := l.of(queue, payloads...)
	return l.releaseIf(ctx, []string{queue}, all, func(int, time.Duration) bool { return true })
}

// removing counts removed jobs, and calls present if there are many.
func (l *locks) removing(ctx context.Context, jobs int) error {
	if l.freed += jobs; l.freed > manyRemoved {
		return l.present(ctx)
	}
	return nil
}

// freeDelayed frees the locks of delayed jobs that were removed. A job that Ruby has delayed
// has no lock: that of its class and arguments belongs to an equal job which waits in a queue
// or runs. So the lock of a class without a policy is freed only if it lives until after the
// job would have been due, as those of Go do.
func (l *locks) freeDelayed(ctx context.Context, items []delayedItem) error {
	if err := l.removing(ctx, len(items)); err != nil {
		return err
	}
	now := l.store.About(ctx)
	var all []store.RubyLock
	var least []time.Duration // how long each must still live
	var queues []string
	for _, i := range items {
		if i.job.Queue == "" {
			continue
		}
		some, derived := l.ofOne(i.job.Queue, i.raw)
		for _, lock := range some {
			wait := time.Duration(math.MinInt64)
			if derived {
				wait = max(time.Unix(i.second, 0).Sub(now), 0)
			}
			all, least = append(all, lock), append(least, wait)
		}
		if !slices.Contains(queues, i.job.Queue) {
			queues = append(queues, i.job.Queue)
		}
	}
	return l.releaseIf(ctx, queues, all, func(i int, left time.Duration) bool { return left > least[i] })
}

// releaseIf frees the locks for which ok returns true, unless equal jobs have them: see kept.
// queues are those of the removed jobs. left is how long a lock still lives, negative if it does
// not expire.
func (l locks) releaseIf(ctx context.Context, queues []string, all []store.RubyLock, ok func(i int, left time.Duration) bool) error {
	texts, lives, err := l.store.LockTexts(ctx, all)
	exist := map[string]bool{}
	for i := range texts {
		if !ok(i, lives[i]) {
			texts[i] = "" // it stays
		} else if texts[i] != "" {
			exist[all[i].Key] = true
		}
	}
	if err == nil && len(exist) > 0 {
		var kept map[string]bool
		if kept, err = l.kept(ctx, queues, exist); err == nil {
			for i := range texts {
				if kept[all[i].Key] {
					texts[i] = ""
				}
			}
			_, err = l.store.Unlock(ctx, all, texts)
		}
	}
	if err != nil {
		return fmt.Errorf("resque: the jobs are removed, but their locks stay until they expire: %w", err)
	}
	return nil
}

// freeOf frees the locks of a job whose copies were removed from a queue.
func (c *Client) freeOf(ctx context.Context, job Job, payload []byte) error {
	l := c.locks()
	all, _ := l.ofJob(job, payload)
	return l.releaseIf(ctx, []string{job.Queue}, all, func(int, time.Duration) bool { return true })
}

// freeOfDelayed frees the locks of a job whose delayed copies were removed, at any times. See
// freeDelayed.
func (c *Client) freeOfDelayed(ctx context.Context, job Job, payload []byte) error {
	l := c.locks()
	all, derived := l.ofJob(job, payload)
	return l.releaseIf(ctx, []string{job.Queue}, all, func(_ int, left time.Duration) bool { return !derived || left > 0 })
}

// ofJob is ofOne for a job that a definition may have made.
func (l locks) ofJob(job Job, payload []byte) (all []store.RubyLock, derived bool) {
	policies := job.hooks.pushing()
	if policies == nil {
		return l.ofOne(job.Queue, payload)
	}
	given, err := ParsePayload(job.Queue, payload)
	if err == nil && job.hooks.wrapper != nil {
		given, err = job.hooks.wrapper.Unwrap(given)
	}
	if err != nil {
		return nil, false
	}
	return policies.Locks(&policy.Job{Class: given.Class, Queue: job.Queue, Args: given.Args, Payload: payload, Given: given, Store: l.store}), false
}

// HeldLock is a lock in Redis.
type HeldLock struct {
	Key  string        // with the namespace
	Text string        // what it holds
	Left time.Duration // until it expires; 0 if it does not
}

// HeldLocks returns the locks of an equal job that refuse to enqueue job, for packages of
// policies such as unique. It reads Redis.
func (c *Client) HeldLocks(ctx context.Context, job Job) ([]HeldLock, error) {
	payload, err := c.appendPayload(nil, job)
	if err != nil {
		return nil, err
	}
	l := c.locks()
	l.derive = false // another class may have the lock
	all, _ := l.ofJob(job, payload)
	texts, lives, err := c.store.LockTexts(ctx, all)
	if err != nil {
		return nil, fmt.Errorf("resque: %w", err)
	}
	var held []HeldLock
	for i, text := range texts {
		if text != "" {
			held = append(held, HeldLock{Key: all[i].Key, Text: text, Left: max(lives[i], 0)})
		}
	}
	return held, nil
}

// WithPolicies returns job with the policies that its class has among the jobs of WithJobs,
// but without the hooks of the class. A program that enqueues payloads which were made
// earlier, such as the relay of package outbox, calls it, so that the jobs take their locks.
func (c *Client) WithPolicies(job Job) Job {
	if c.jobs == nil || job.hooks.pushing() != nil {
		return job
	}
	payload, err := c.appendPayload(nil, job)
	if err != nil {
		return job // enqueueing it returns the error
	}
	given, err := ParsePayload(job.Queue, payload)
	if err == nil {
		given, err = Unwrap(c.jobs, given)
	}
	if err != nil {
		return job
	}
	route := routeOf(c.jobs, given.Class)
	if !route.policies.Pushes() {
		return job
	}
	job.hooks = &clientHooks{class: route.Class, policies: route.policies}
	if route.hooks != nil {
		job.hooks.wrapper = route.hooks.wrapper
	}
	return job
}

// Renewed returns job with a new id, if its class gives each of its jobs one, as
// status.Define does: for programs that enqueue one job again and again, such as a scheduler.
// ok is false if the class does not. The class must be known: see [Client.WithPolicies].
//
// Ruby: scheduled of Resque::Plugins::Status, which resque-scheduler calls.
func (c *Client) Renewed(job Job) (renewed Job, ok bool) {
	r, ok := job.hooks.pushing().Renewer()
	if ok {
		job.Args = r.Renewed(job.Args)
	}
	return job, ok
}

// checkLocks returns an error for a job whose class has locks that are not taken when the
// stored job is enqueued.
func (c *Client) checkLocks(job Job) error {
	policies := job.hooks.pushing()
	if !policies.Locking() {
		return nil
	}
	if PoliciesOf(c.jobs, job.hooks.class).Locking() {
		return nil
	}
	return fmt.Errorf("resque: storing %s: the lock of its unique.Policy is taken when the job is enqueued: store it with a client of WithJobs(mux) that knows the class, such as that of an outbox.Writer, and give the relay such a client", job.Class)
}

// PushEffects returns what the policies of a job's class write when payload is pushed. It is
// for packages of this module that push with their own scripts, inside EnqueueWith.
func (c *Client) PushEffects(job Job, payload []byte) ([]store.Effect, error) {
	return c.pushEffects(job, payload)
}
