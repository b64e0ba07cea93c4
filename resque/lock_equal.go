package resque

import (
	"context"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
)

// At how many jobs that wait in a queue, and at how many delayed ones, kept looks for equals of
// removed jobs, at first and after manyRemoved jobs were removed.
const (
	equalsLooked = 1000
	equalsOfMany = 50
	manyRemoved  = 1000
)

// kept returns those of the locks with the given keys that equal jobs have, though a job was
// removed that would have them. A copy without a lock is made by requeueing a failure, by a
// retry while another job has the lock, and by a push without the policies of the class. queues
// are those of the removed jobs. The look is not complete, so that a removal takes no time that
// depends on the lengths of queues: it does not find equal jobs behind equalsLooked others or in
// other queues. Jobs move from the delayed ones to the queues to workers, and it looks in that order.
func (l locks) kept(ctx context.Context, queues []string, keys map[string]bool) (kept map[string]bool, err error) {
	kept = map[string]bool{}
	most := int64(equalsLooked)
	if l.freed > manyRemoved {
		most = equalsOfMany
	}
	if l.known() {
		if err := l.delayedEquals(ctx, most, keys, kept); err != nil {
			return nil, err
		}
		for _, queue := range queues {
			part, _, err := l.store.QueuePart(ctx, queue, 0, most)
			if err != nil && !store.Refused(err) {
				return nil, err
			}
			for _, e := range part {
				l.addEqual(kept, keys, queue, e.Raw)
			}
		}
	}
	return kept, l.addRunning(ctx, kept)
}

func (l locks) delayedEquals(ctx context.Context, most int64, keys, kept map[string]bool) error {
	w := newDelayedWalk(l.store, DelayedFilter{All: true})
	w.size = min(w.size, most)
	for looked := int64(0); looked < most; {
		part, err := w.part(ctx)
		if len(part) == 0 {
			if w.damage.err() != nil {
				err = nil // of lists that cannot be read
			}
			return err
		}
		for _, i := range part {
			l.addEqual(kept, keys, parseDelayed(i.second, i.position, i.raw).job.Queue, i.raw)
		}
		looked += int64(len(part))
	}
	return nil
}

// addEqual adds the locks of a job that waits. A job of a class without a policy may have none:
// Ruby takes none for a delayed job, nor for a copy that it requeues.
func (l locks) addEqual(kept, keys map[string]bool, queue string, payload []byte) {
	job, policies := l.jobOf(queue, payload)
	if job == nil || !policies.Locking() {
		return
	}
	for _, lock := range policies.Locks(job) {
		if keys[lock.Key] {
			kept[lock.Key] = true
		}
	}
}

// addRunning adds the locks that running jobs have until they end: of classes without a policy
// those that resque-lock would use. The locks of Ruby's other plugins are freed when the job begins.
func (l locks) addRunning(ctx context.Context, kept map[string]bool) error {
	workers, _, err := l.store.Fleet(ctx)
	if err != nil {
		return err
	}
	for _, w := range workers {
		if len(w.Record.Text) == 0 {
			continue
		}
		given := runningJob(w.Record)
		if given == nil {
			continue
		}
		job, policies := l.jobOf(given.Queue, given.Raw)
		if job == nil {
			continue
		}
		if !policies.Locking() {
			if l.derive {
				kept[l.store.ResqueLock(job.Class, job.Args)] = true
			}
			continue
		}
		job.Token = policy.Token(w.Record.Worker, w.Record.RunAt)
		for _, lock := range policies.Locks(job) {
			if lock.Begun == "" { // it is not freed when the job begins
				kept[lock.Key] = true
			}
		}
	}
	return nil
}
